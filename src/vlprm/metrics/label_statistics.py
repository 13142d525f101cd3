"""What the labels look like: how many, how negative, where the first error lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vlprm.records import Record, Rollout, StepLabel


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
    source: str, rollouts: Sequence[Rollout], labels: Sequence[StepLabel]
) -> LabelStatistics:
    """One source's row: rollouts labelled or dropped, steps by label, first error by section.

    A rollout without any label is dropped; one without a ``-`` is all right.
    """
    by_rollout: dict[str, list[StepLabel]] = {}
    for label in labels:
        by_rollout.setdefault(label.rollout_id, []).append(label)
    row: Counter[str] = Counter(rollouts=len(rollouts))
    for rollout in rollouts:
        known = by_rollout.get(rollout.id, [])
        if all(label.label is None for label in known):
            row["dropped"] += 1
            continue
        row["labelled"] += 1
        wrong = [label.step_index for label in known if label.label == 0]
        sections = {step.index: step.section for step in rollout.steps}
        first = sections[min(wrong)] if wrong else None
        row["all_right" if first is None else f"error_in_{first.value}"] += 1
        row["steps_plus"] += sum(label.label == 1 for label in known)
        row["steps_minus"] += len(wrong)
        row["steps_masked"] += sum(label.label is None for label in known)
    return LabelStatistics(source=source, **row)
