"""Host memory of the rules that run no model, from the counts of the configuration.

A process needs what its packages take, and what it keeps of each record; the rest is streamed.
The bytes a record were measured by ``bench/memory_at_scale.py`` on made-up records of the
published sizes (9 steps of 200 characters) and are doubled here, for texts that are longer.
"""

from __future__ import annotations

from vlprm.config.run import Config

BASE_MB = 1000
"""Interpreter, pydantic, pyarrow, polars, matplotlib (250 to 300 MB measured), one batch of
records, and room for what the system counts besides."""
MARGIN = 2.0

SHARD_BYTES = {"label": 1200, "published": 3000}
"""Kept a rollout of the shard."""
SOURCE_BYTES = {"examples": 600, "tables": 600}
"""Kept a rollout of all sources."""
BENCHMARK_BYTES = {"select": 6000, "metrics": 6000, "step_metrics": 6000}
"""Kept a candidate of one policy on the benchmark (with its scores and what picks it)."""


def of_shard(rule: str, config: Config, dataset: str) -> int:
    """MB of a rule that reads one shard of a data set's rollouts."""
    return _mb(SHARD_BYTES[rule], rollouts_of_shard(config, dataset))


def of_sources(rule: str, config: Config) -> int:
    """MB of a rule that reads the rollouts of all sources."""
    total = sum(source.data.n * source.rollouts for source in config.sources.values())
    return _mb(SOURCE_BYTES[rule], total)


def of_benchmark(rule: str, config: Config, benchmark: str) -> int:
    """MB of a rule that reads all candidates of a policy on one benchmark."""
    n = config.benchmarks[benchmark].data.n
    return _mb(BENCHMARK_BYTES[rule], n * config.evaluation.ranking.candidates)


def rollouts_of_shard(config: Config, dataset: str) -> int:
    """Rollouts of the largest shard of a source or benchmark."""
    source = config.sources.get(dataset)
    data = source.data if source else config.benchmarks[dataset].data
    each = source.rollouts if source else config.evaluation.ranking.candidates
    return min(data.n, data.shard_size) * each


def _mb(bytes_each: int, records: int) -> int:
    return BASE_MB + -(-int(MARGIN * bytes_each * records) // 1_000_000)
