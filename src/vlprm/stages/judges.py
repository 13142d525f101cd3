"""Judges side by side: verdicts of the sources' rollouts, compared pair by pair."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from vlprm.config.slices.judge import JudgesSlice
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.keys import Files, shards
from vlprm.io.manifest import recorded
from vlprm.io.solved import evidence
from vlprm.metrics.judge_agreement import (
    CLASSES,
    COLUMNS,
    JudgePair,
    Verdicts,
    pair,
    read_verdicts,
    together,
)
from vlprm.pages.judges import judges_page
from vlprm.records import Rollout, Verdict
from vlprm.stages import VERSIONS, In, Out

ALL = "all"


def run(
    config: JudgesSlice,
    rollouts: list[In],
    verdicts: list[In],
    panel: list[In],
    pairs: Out,
    page: Out,
) -> None:
    """Read rollouts and every judge's verdicts of them; write a table of pairs and a page.

    ``verdicts``: of the judge whose word the label rule takes; ``panel``: of the others.
    """
    names = [config.first, *config.panel]
    with recorded(
        "judges",
        VERSIONS["judges"],
        config.model_dump(mode="json"),
        inputs=sorted([*rollouts, *verdicts, *panel]),
        outputs=[pairs, page],
    ) as counts:
        found = _by_source(config, rollouts, verdicts, panel)
        if len(found) > 1:
            found[ALL] = together(list(found.values()))
        rows = [
            pair(source, names, said, one, other, config.confidence)
            for source, said in found.items()
            for one, other in combinations(range(len(names)), 2)
        ]
        classes = {
            (source, name): np.bincount(said.classes[place], minlength=len(CLASSES)).tolist()
            for source, said in found.items()
            for place, name in enumerate(names)
        }
        left = {source: said.left() for source, said in found.items()}
        told = [row.model_dump() for row in rows]
        write_text(page, judges_page(CLASSES, classes, told, left, config.keep))
        counts["pairs"] = parquet.write(rows, pairs, JudgePair, keys={})
        counts["rollouts"] = left[next(reversed(left))]["all"]


def _by_source(
    config: JudgesSlice, rollouts: list[Path], verdicts: list[Path], panel: list[Path]
) -> dict[str, Verdicts]:
    wanted = [keys for source in config.sources for keys in shards(*source, policy=config.policy)]
    beside = [keys | {"judge": name} for name in config.panel for keys in wanted]
    drawn, first = Files(rollouts, Rollout, wanted), Files(verdicts, Verdict, wanted)
    others = Files(panel, Verdict, beside)
    found = {}
    for source, _ in config.sources:
        parts = []
        for keys in wanted:
            if keys["dataset"] != source:
                continue
            solutions = parquet.frame(drawn.of(**keys), Rollout, COLUMNS)
            tables = [(first.of(**keys), keys)]
            tables += [
                (others.of(**keys, judge=name), keys | {"judge": name}) for name in config.panel
            ]
            said = [
                parquet.frame(
                    evidence(files, Verdict, own, solutions["id"]),
                    Verdict,
                    ["rollout_id", "first_error", "status"],
                )
                for files, own in tables
            ]
            parts.append(read_verdicts(solutions, said))
        found[source] = together(parts)
    return found
