"""Selections: every strategy picks candidates, for every n; gold answers are never read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vlprm.answers.cluster import vote_keys
from vlprm.config.slices import SelectSlice
from vlprm.io import tables
from vlprm.io.manifest import recorded
from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.records import Rollout, Sample, Selection, StepScore
from vlprm.search.select import Candidates, Scores, group_scores, select
from vlprm.stages import VERSIONS


def run(
    config: SelectSlice,
    samples: list[Path],
    rollouts: list[Path],
    scores: list[Path],
    ranks: list[Path],
    selections: Path,
) -> None:
    """Read all shards of one policy on one benchmark; write what each strategy picked."""
    with recorded(
        "select",
        VERSIONS["select"],
        config.model_dump(mode="json"),
        inputs=[*samples, *rollouts, *scores, *ranks],
        outputs=[selections],
    ) as counts:
        drawn = tables.ByKey(rollouts, Rollout, "sample_id")
        shards = len(rollouts)
        by_prm = {
            prm: tables.ByKey(scores[i * shards : (i + 1) * shards], StepScore, "rollout_id")
            for i, prm in enumerate(config.prms)
        }
        judged = tables.ByKey(ranks, StepScore, "rollout_id") if ranks else None

        def found() -> Iterator[Selection]:
            for sample in tables.iterate(samples, Sample):
                own = drawn.get(sample.id, [])
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
        counts["selections"] = tables.write(found(), selections, Selection)


def _scores(known: tables.ByKey[StepScore], rollouts: Sequence[Rollout]) -> Scores:
    return group_scores([score for item in rollouts for score in known.get(item.id, [])])
