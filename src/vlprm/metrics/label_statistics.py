"""What the labels look like: how many, how negative, where the first error lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import polars as pl

from vlprm.records import Record

SECTIONS = "steps.list.element.section"
"""The column of a rollout table that names each step's section."""


class LabelStatistics(Record):
    """Counts of one source; ``all_right`` and the three errors add up to ``labelled``."""

    source: str
    rollouts: int = 0
    labelled: int = 0
    dropped: int = 0
    all_right: int = 0
    error_in_perception: int = 0
    error_in_reasoning: int = 0
    error_in_solution: int = 0
    steps_plus: int = 0
    steps_minus: int = 0
    steps_masked: int = 0


def label_statistics(
    source: str, shards: Iterable[tuple[pl.DataFrame, pl.DataFrame]]
) -> LabelStatistics:
    """One source's row: rollouts labelled or dropped, steps by label, first error by section.

    A shard is its rollouts (columns ``id`` and ``steps``, a list of structs with ``section``)
    and its labels (``rollout_id``, ``step_index``, ``label``). A rollout without any label is
    dropped; one without a ``-`` is all right.
    """
    row: Counter[str] = Counter()
    for rollouts, labels in shards:
        row.update(_shard(rollouts, labels))
    return LabelStatistics(source=source, **row)


def _shard(rollouts: pl.DataFrame, labels: pl.DataFrame) -> dict[str, int]:
    label = pl.col("label")
    known = labels.group_by("rollout_id").agg(
        (label == 1).sum().alias("steps_plus"),
        (label == 0).sum().alias("steps_minus"),
        label.is_null().sum().alias("steps_masked"),
        pl.col("step_index").filter(label == 0).min().alias("first"),
    )
    labelled = rollouts.join(known, left_on="id", right_on="rollout_id").filter(
        pl.col("steps_plus") + pl.col("steps_minus") > 0
    )
    wrong = labelled.filter(pl.col("first").is_not_null())
    sections = wrong.select(pl.col("steps").list.get(pl.col("first")).struct.field("section"))
    found = {f"error_in_{name}": n for name, n in Counter(sections["section"]).items()}
    found |= {
        "rollouts": rollouts.height,
        "labelled": labelled.height,
        "dropped": rollouts.height - labelled.height,
        "all_right": labelled.height - wrong.height,
    }
    for name in ("steps_plus", "steps_minus", "steps_masked"):
        found[name] = int(labelled[name].sum())
    return found
