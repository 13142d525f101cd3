"""Soft labels: conversations that are trained on values of steps instead of 1 and 0.

The soft estimation of Math-Shepherd (arXiv 2312.08935): the target of ``+`` is the share of
continuations that end right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import model_validator

from vlprm.records import PRMExample, StepEstimate


class SoftPRMExample(PRMExample):
    """A training conversation with one value per step beside its labels."""

    targets: tuple[float | None, ...]
    """Probability of ``+``; None exactly where the label is: no loss there."""

    @model_validator(mode="after")
    def _targets_match_labels(self) -> Self:
        bare = [value is None for value in self.targets] != [one is None for one in self.labels]
        if bare or not all(0 <= value <= 1 for value in self.targets if value is not None):
            raise ValueError(f"{self.rollout_id}: targets are no probabilities of its labels")
        return self


def soften(
    example: PRMExample, estimates: Iterable[StepEstimate], min_graded: int
) -> SoftPRMExample | None:
    """The conversation with the value of every labelled step.

    A step of which fewer than ``min_graded`` continuations were graded carries no loss. None where
    no step does.
    """
    values = {item.step_index: item.value for item in estimates if item.n_graded >= min_graded}
    targets = tuple(
        None if label is None else values.get(index) for index, label in enumerate(example.labels)
    )
    if all(value is None for value in targets):
        return None
    labels = tuple(
        None if value is None else label
        for label, value in zip(example.labels, targets, strict=True)
    )
    return SoftPRMExample.model_validate(
        example.model_dump() | {"labels": labels, "targets": targets}
    )
