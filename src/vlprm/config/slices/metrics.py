"""What ``metrics`` and ``step_metrics`` are told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.evaluation import MetricsConfig
from vlprm.config.run import Config


class MetricsSlice(Block):
    """Accuracy with intervals over one benchmark."""

    benchmark: str
    shards: int
    policies: tuple[str, ...]
    prms: tuple[str, ...]
    n: tuple[int, ...]
    candidates: int
    draws: int
    searches: dict[str, int]
    """Searches of this benchmark and their N, the candidates per round."""
    step_truth: bool
    replicates: dict[str, tuple[str, ...]]
    """Name of a group to its PRMs, which differ in the seed of their training alone."""
    metrics: MetricsConfig


def of(config: Config, benchmark: str, shards: int) -> MetricsSlice:
    """The slice of the metrics of one benchmark."""
    return MetricsSlice(
        benchmark=benchmark,
        shards=shards,
        policies=config.evaluation.policies,
        prms=config.evaluation.prms,
        n=config.evaluation.ranking.n,
        candidates=config.evaluation.ranking.candidates,
        draws=config.evaluation.ranking.draws,
        searches=config.widths(benchmark),
        step_truth=config.evaluation.step_truth,
        replicates=config.evaluation.replicates,
        metrics=config.metrics,
    )
