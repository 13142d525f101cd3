"""Selections: every strategy picks candidates, for every n; gold answers are never read."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from vlprm.answers.cluster import vote_keys
from vlprm.config.slices import SelectSlice
from vlprm.io import tables
from vlprm.io.manifest import recorded
from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.records import Rollout, Sample, Selection, StepScore
from vlprm.search.select import Candidates, group_scores, select
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
        drawn: dict[str, list[Rollout]] = defaultdict(list)
        for item in tables.read_many(rollouts, Rollout):
            drawn[item.sample_id].append(item)
        questions = [
            Candidates(
                sample_id=sample.id,
                rollouts=tuple(drawn[sample.id]),
                keys=tuple(vote_keys([item.answer for item in drawn[sample.id]], sample)),
            )
            for sample in tables.read_many(samples, Sample)
        ]
        shards = len(rollouts)
        by_prm = {
            prm: group_scores(tables.read_many(scores[i * shards : (i + 1) * shards], StepScore))
            for i, prm in enumerate(config.prms)
        }
        judged = group_scores(tables.read_many(ranks, StepScore)) if ranks else None
        found = select(questions, by_prm, judged, AGGREGATIONS, config.ranking, seed=config.seed)
        tables.write(found, selections, Selection)
        counts["questions"] = len(questions)
        counts["candidates"] = sum(len(item.rollouts) for item in questions)
        counts["selections"] = len(found)
