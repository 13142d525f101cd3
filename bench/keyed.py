"""Keys for made-up records: the same rows as the tables of several policies, PRMs and searches."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pyarrow.parquet as pq

from vlprm.config.run import Config
from vlprm.io.keys import stamped
from vlprm.records import (
    Grade,
    Record,
    Rollout,
    Sample,
    StepEstimate,
    StepLabel,
    StepScore,
    Verdict,
)

SOURCE, BENCHMARK = "made-up", "puzzlevqa"
"""A benchmark of the paper's configuration that it also searches."""
SEARCHED = ("rollouts", "grades")


def copy(path: Path, to: Path, record: type[Record], **keys: str) -> None:
    """The same rows under other keys (in place where ``to`` is ``path``)."""
    table = pq.read_table(path)
    to.parent.mkdir(parents=True, exist_ok=True)
    schema = stamped(table.schema, record, keys)
    table = table.replace_schema_metadata(schema.metadata)
    pq.write_table(table, to, compression="zstd", compression_level=1)


def sources(folder: Path, policy: str) -> None:
    """Keys for the tables of :func:`synthetic.sources`."""
    for kind, record in (("samples", Sample), ("rollouts", Rollout), ("labels", StepLabel)):
        of = {} if kind == "samples" else {"policy": policy}
        for path in sorted((folder / kind).glob("*.parquet")):
            copy(path, path, record, dataset=SOURCE, shard=path.stem, **of)


def one_shard(folder: Path, policy: str) -> None:
    """Keys for the three tables that label reads."""
    kinds = (("rollouts", Rollout), ("estimates", StepEstimate), ("verdicts", Verdict))
    for kind, record in kinds:
        path = folder / f"{kind}.parquet"
        copy(path, path, record, dataset=SOURCE, shard="000", policy=policy)


def benchmark(folder: Path, config: Config) -> None:
    """The tables of :func:`synthetic.benchmark`, for every policy, PRM and search."""
    policies, prms = config.evaluation.policies, config.evaluation.prms
    kinds = {"rollouts": Rollout, "grades": Grade, "verdicts": Verdict}
    for path in sorted((folder / "samples").glob("*.parquet")):
        own = {"dataset": BENCHMARK, "shard": path.stem}
        copy(path, path, Sample, **own)
        for kind, record in kinds.items():
            for policy in policies:
                _fan(folder, kind, record, **own, policy=policy)
        for policy in policies:
            _fan(
                folder, "ranks", StepScore, **own, policy=policy, judge=config.evaluation.llm_judge
            )
            for prm in prms:
                _fan(folder, "scores", StepScore, **own, policy=policy, prm=prm)
                for search, kind in product(config.evaluation.on(BENCHMARK), SEARCHED):
                    of = {"policy": policy, "prm": prm, "search": search}
                    _first(folder, kind, kinds[kind], **own, **of)


def _fan(folder: Path, kind: str, record: type[Record], **keys: str) -> None:
    source = folder / kind / f"{keys['shard']}.parquet"
    copy(source, folder / f"keyed_{kind}" / f"{'-'.join(keys.values())}.parquet", record, **keys)


def _first(folder: Path, kind: str, record: type[Record], **keys: str) -> None:
    """One rollout per question, as a search ends with."""
    source = folder / kind / f"{keys['shard']}.parquet"
    to = folder / f"searched_{kind}" / f"{'-'.join(keys.values())}.parquet"
    copy(source, to, record, **keys)
    table = pq.read_table(to)
    pq.write_table(table.take(list(range(0, table.num_rows, 16))), to, compression="zstd")
