"""The Monte-Carlo value of a step: the share of its continuations that end right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vlprm.answers.equal import Check
from vlprm.records import StepEstimate


def estimate(
    rollout_id: str,
    step_index: int,
    checks: Sequence[Check],
    *,
    failed_as: Literal["missing", "wrong"] = "missing",
) -> StepEstimate:
    """Count one step's continuations, one check each.

    A continuation that failed, was cut or could not be graded (``correct`` None) leaves the
    denominator; ``failed_as="wrong"`` keeps it there, as upstream does (rollout.py:365-366,
    735-737). ``n_failed`` counts it either way.
    """
    graded = [item.correct for item in checks if item.correct is not None]
    return StepEstimate(
        rollout_id=rollout_id,
        step_index=step_index,
        n_correct=sum(graded),
        n_graded=len(checks) if failed_as == "wrong" else len(graded),
        n_failed=len(checks) - len(graded),
    )
