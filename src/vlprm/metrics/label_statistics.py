"""What the labels look like: how many, how negative, where the first error lies."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vlprm.records import Rollout, Section, StepLabel

SCHEMA = {
    "source": pl.String,
    "rollouts": pl.Int64,
    "labelled": pl.Int64,
    "dropped": pl.Int64,
    "all_right": pl.Int64,
    "error_in_perception": pl.Int64,
    "error_in_reasoning": pl.Int64,
    "error_in_solution": pl.Int64,
    "steps_plus": pl.Int64,
    "steps_minus": pl.Int64,
    "steps_masked": pl.Int64,
}


def label_statistics(
    source: str, rollouts: Sequence[Rollout], labels: Sequence[StepLabel]
) -> pl.DataFrame:
    """One row: rollouts labelled or dropped, steps by label, first error by section.

    A rollout without any label is dropped; one without a ``-`` is all right.
    """
    by_rollout: dict[str, list[StepLabel]] = {}
    for label in labels:
        by_rollout.setdefault(label.rollout_id, []).append(label)
    row: dict[str, str | int] = {"source": source} | dict.fromkeys(list(SCHEMA)[1:], 0)

    def add(key: str, count: int = 1) -> None:
        row[key] = int(row[key]) + count

    for rollout in rollouts:
        add("rollouts")
        known = by_rollout.get(rollout.id, [])
        if all(label.label is None for label in known):
            add("dropped")
            continue
        add("labelled")
        wrong = [label.step_index for label in known if label.label == 0]
        sections = {step.index: step.section for step in rollout.steps}
        first = sections[min(wrong)] if wrong else None
        add("all_right" if first is None else f"error_in_{Section(first).value}")
        add("steps_plus", sum(label.label == 1 for label in known))
        add("steps_minus", len(wrong))
        add("steps_masked", sum(label.label is None for label in known))
    return pl.DataFrame([row], schema=SCHEMA)
