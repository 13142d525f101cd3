"""Label counts in the form of the published data, with the published figures beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from vlprm.config.slices.label_counts import LabelCountsSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.keys import Files, Keys, shards
from vlprm.io.manifest import recorded
from vlprm.io.solved import evidence
from vlprm.metrics.judge_agreement import COLUMNS, read_verdicts, together
from vlprm.metrics.label_counts import LabelCounts, label_counts, labels_as_verdict, total
from vlprm.pages.label_counts import label_counts_page
from vlprm.records import Rollout, StepLabel, Verdict
from vlprm.stages import VERSIONS, In, Out

Tables = tuple[Files, Files, Files, Files]
"""Rollouts, labels, the judge's verdicts, the panel's."""


def run(
    config: LabelCountsSlice,
    rollouts: list[In],
    labels: list[In],
    verdicts: list[In],
    panel: list[In],
    counted: Out,
    page: Out,
) -> None:
    """Read rollouts, labels and verdicts; write a table of counts and a page.

    Raises UserError where no judge was asked: there is nothing to count by.
    """
    if not verdicts:
        raise UserError(
            "no verdicts: the published form counts by the judge's conclusion",
            where=f"labels.rule {config.rule}",
            cure="see tables/labels.md, or name a label rule that asks a judge",
        )
    with recorded(
        "label_counts",
        VERSIONS["label_counts"],
        config.model_dump(mode="json"),
        inputs=sorted([*rollouts, *labels, *verdicts, *panel]),
        outputs=[counted, page],
    ) as counts:
        wanted = [
            keys for name, n, _ in config.sources for keys in shards(name, n, policy=config.policy)
        ]
        beside = [keys | {"judge": name} for name in config.panel for keys in wanted]
        tables = (
            Files(rollouts, Rollout, wanted),
            Files(labels, StepLabel, wanted),
            Files(verdicts, Verdict, wanted),
            Files(panel, Verdict, beside),
        )
        rows = [
            _source(config, name, [k for k in wanted if k["dataset"] == name], tables)
            for name, _, _ in config.sources
        ]
        rows += [total(rows)] if len(rows) > 1 else []
        facts = {"rule": config.rule, "filter of the panel": config.keep}
        kinds = {name: kind for name, _, kind in config.sources}
        write_text(page, label_counts_page([row.model_dump() for row in rows], kinds, facts))
        parquet.write(rows, counted, LabelCounts, keys={})
        counts["training"] = rows[-1].training


def _source(
    config: LabelCountsSlice, name: str, shard_keys: list[dict[str, str]], tables: Tables
) -> LabelCounts:
    drawn, labelled, first, others = tables
    parts = []
    for keys in shard_keys:
        solutions = parquet.frame(drawn.of(**keys), Rollout, COLUMNS)
        judges = [(first.of(**keys), keys)]
        judges += [
            (others.of(**keys, judge=judge), keys | {"judge": judge}) for judge in config.panel
        ]
        said = [_verdicts(files, own, solutions["id"]) for files, own in judges]
        labels = _labels(labelled.of(**keys))
        parts.append(read_verdicts(solutions, [*said, labels_as_verdict(labels)]))
    whole = together(parts)
    return label_counts(name, whole.first(-1), whole.first(-1).kept(config.keep), whole.classes[-1])


def _labels(paths: Sequence[Path]) -> pl.DataFrame:
    return parquet.frame(paths, StepLabel, ["rollout_id", "step_index", "label"])


def _verdicts(paths: Sequence[Path], keys: Keys, ids: pl.Series) -> pl.DataFrame:
    """A judge's verdicts of a shard, checked against the rollouts' ids."""
    found = evidence(paths, Verdict, keys, ids)
    return parquet.frame(found, Verdict, ["rollout_id", "first_error", "status"])
