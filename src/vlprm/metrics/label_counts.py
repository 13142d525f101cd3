"""Counts of rollouts on their way to labels, in the form in which the published data were counted.

Specification, field 1.2: (A) rollouts by the judge's verdict, (B) what the filter of the panel
leaves, (C) what is trained on, by the judge's conclusion and the section of the first error.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from vlprm.metrics.judge_agreement import CLASSES, UNUSABLE, Verdicts
from vlprm.records import Record, Section


class LabelCounts(Record):
    """One source, or all of them."""

    source: str
    right: int
    """The judge calls all steps right."""
    wrong: int
    none: int
    """No usable verdict."""
    records: int
    """Left by the filter of the panel, with a usable verdict."""
    correct: int
    """Of these: called right, and labelled."""
    incorrect: int
    """Called wrong, and labelled."""
    disagree: int
    """Called right, and not labelled: estimates disagree, or too few are there."""
    training: int
    """Labelled, by whatever verdict."""
    perception: int
    """Labelled, first error in perception."""
    reasoning: int
    other: int
    """Called wrong, and not labelled."""


def label_counts(
    source: str, said: Verdicts, left: npt.NDArray[np.bool_], first: npt.NDArray[np.int16]
) -> LabelCounts:
    """Counts of one source.

    ``said``: verdicts, the judge whose word counts first; ``left``: rollouts that the panel's
    filter leaves; ``first``: class of each rollout's labels (``labels_as_verdict``). Both of shape
    (rollouts,).
    """
    judge = said.classes[0]
    usable = judge != UNUSABLE
    right, labelled = judge == 0, first != UNUSABLE
    records = left & usable
    counted = {
        "right": right,
        "wrong": usable & ~right,
        "none": ~usable,
        "records": records,
        "correct": records & right & labelled,
        "incorrect": records & ~right & labelled,
        "disagree": records & right & ~labelled,
        "training": labelled,
        "perception": first == CLASSES.index(Section.PERCEPTION),
        "reasoning": first == CLASSES.index(Section.REASONING),
        "other": records & ~right & ~labelled,
    }
    return LabelCounts(source=source, **{name: int(mask.sum()) for name, mask in counted.items()})


def total(rows: list[LabelCounts]) -> LabelCounts:
    """All sources together."""
    names = [name for name in LabelCounts.model_fields if name != "source"]
    return LabelCounts(
        source="all", **{name: sum(getattr(row, name) for row in rows) for name in names}
    )


def labels_as_verdict(labels: pl.DataFrame) -> pl.DataFrame:
    """Labels (``rollout_id``, ``step_index``, ``label``) in the columns of a verdict table: what
    ``read_verdicts`` makes of them is all right, the section of the first error, or, for a rollout
    without labels, unusable."""
    label = pl.col("label")
    return (
        labels.group_by("rollout_id")
        .agg(
            pl.col("step_index").filter(label == 0).min().alias("first_error"),
            label.is_not_null().any().alias("known"),
        )
        .filter("known")
        .select("rollout_id", "first_error", pl.lit("ok").alias("status"))
    )
