"""Selections: every strategy picks candidates, for every n; gold answers are never read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from vlprm import joins
from vlprm.answers.votes import vote_keys
from vlprm.config.slices.select import SelectSlice
from vlprm.io import parquet
from vlprm.io.keys import Files, shards
from vlprm.io.manifest import recorded
from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.records import Rollout, Sample, Selection, StepScore
from vlprm.selection.select import Candidates, Scores, group_scores, select
from vlprm.stages import VERSIONS, In, Out

ByRollout = parquet.ByKey[StepScore]


def run(
    config: SelectSlice,
    samples: list[In],
    rollouts: list[In],
    scores: list[In],
    ranks: list[In],
    selections: Out,
) -> None:
    """Read all shards of one policy on one benchmark; write what each strategy picked.

    Tables are found by their keys: the lists may have any order.
    """
    with recorded(
        "select",
        VERSIONS["select"],
        config.model_dump(mode="json"),
        inputs=sorted([*samples, *rollouts, *scores, *ranks]),
        outputs=[selections],
    ) as counts:
        asked = Files(samples, Sample, shards(config.benchmark, config.shards)).of()
        own = shards(config.benchmark, config.shards, policy=config.policy)
        solved = Files(rollouts, Rollout, own).of()
        ids = parquet.frame(solved, Rollout, ["sample_id", "id"])
        questions = parquet.frame(asked, Sample, ["id"])["id"]
        joins.match(ids, questions, "candidates", f"{config.policy} on {config.benchmark}")
        drawn = parquet.ByKey(solved, Rollout, "sample_id")
        by_prm = _by_prm(config, scores, ids["id"])
        judged = _judged(config, ranks, ids["id"])

        def found() -> Iterator[Selection]:
            for sample in parquet.iterate(asked, Sample):
                own = drawn[sample.id]
                keys = vote_keys([item.answer for item in own], sample)
                counts["questions"] += 1
                counts["candidates"] += len(own)
                yield from select(
                    [Candidates(sample.id, tuple(own), tuple(keys))],
                    {prm: _scores(known, own) for prm, known in by_prm.items()},
                    _scores(judged, own) if judged is not None else None,
                    AGGREGATIONS,
                    config.ranking,
                    seed=config.seed,
                )

        counts["questions"] = counts["candidates"] = 0
        counts["selections"] = parquet.write(
            found(),
            selections,
            Selection,
            keys={"dataset": config.benchmark, "policy": config.policy},
        )


def _by_prm(config: SelectSlice, paths: list[Path], ids: pl.Series) -> dict[str, ByRollout]:
    own = {"policy": config.policy}
    wanted = [
        keys
        for prm in config.prms
        for keys in shards(config.benchmark, config.shards, prm=prm, **own)
    ]
    files = Files(paths, StepScore, wanted)
    return {prm: _known(files.of(prm=prm), ids, f"scores of {prm}") for prm in config.prms}


def _judged(config: SelectSlice, paths: list[Path], ids: pl.Series) -> ByRollout | None:
    own = {"policy": config.policy}
    if config.judge is None:
        Files(paths, StepScore, [])
        return None
    wanted = shards(config.benchmark, config.shards, judge=config.judge, **own)
    return _known(Files(paths, StepScore, wanted).of(), ids, f"scores of {config.judge}")


def _known(paths: list[Path], ids: pl.Series, what: str) -> ByRollout:
    rows = parquet.frame(paths, StepScore, ["rollout_id", "step_index"])
    joins.match(rows, ids, what, str(paths[0].parent))
    return parquet.ByKey(paths, StepScore, "rollout_id")


def _scores(known: ByRollout, rollouts: Sequence[Rollout]) -> Scores:
    return group_scores([score for item in rollouts for score in known[item.id]])
