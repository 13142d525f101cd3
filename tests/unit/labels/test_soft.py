"""Soft labels: a value wherever a label is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vlprm.labels.soft import SoftPRMExample, soften
from vlprm.records import Label, PRMExample, StepEstimate


def example(*labels: Label | None) -> PRMExample:
    steps = tuple(f"step {k}" for k in range(len(labels)))
    return PRMExample(
        rollout_id="r", images=(), system="s", question="q", steps=steps, labels=labels
    )


def estimates(*values: tuple[int, int]) -> list[StepEstimate]:
    return [
        StepEstimate(rollout_id="r", step_index=k, n_correct=right, n_graded=n, n_failed=0)
        for k, (right, n) in enumerate(values)
    ]


def test_values_where_labels_are() -> None:
    found = soften(example(1, None, 0), estimates((3, 4), (1, 4), (0, 4)), 4)
    assert found is not None
    assert found.targets == (0.75, None, 0.0)
    assert found.labels == (1, None, 0)


def test_a_step_without_enough_continuations_carries_no_loss() -> None:
    found = soften(example(1, 1), estimates((3, 3), (2, 4)), 4)
    assert found is not None
    assert (found.targets, found.labels) == ((None, 0.5), (None, 1))
    assert soften(example(1, 1), estimates((3, 3)), 4) is None
    assert soften(example(1), [], 1) is None


@pytest.mark.parametrize("targets", [(0.5,), (0.5, 0.5, 0.5), (None, 0.5), (0.5, 1.5)])
def test_targets_that_are_none(targets: tuple[float | None, ...]) -> None:
    with pytest.raises(ValidationError, match="no probabilities of its labels"):
        SoftPRMExample.model_validate(example(1, 0).model_dump() | {"targets": targets})
