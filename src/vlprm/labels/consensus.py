"""Labelling rules: what estimates and verdict say of each step, or why a rollout is dropped.

The published rule (``consensus``, second version; [SIB] convert_mc_to_prm_signal.py:862-905 in
the specification, section 3.5):

=================  ==========================  =======================================
judge              Monte-Carlo                 outcome
=================  ==========================  =======================================
all steps right    every step above threshold  every step ``+``
all steps right    some step at or below it    dropped
first error is k   anything                    ``+`` before k, ``-`` at k, cut after k
=================  ==========================  =======================================

So estimates only veto "all right"; they never place an error. Unlike the published script, a
verdict that another, unused judge failed to give costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vlprm.config.labels import LabelRule
from vlprm.records import Rollout, StepEstimate, StepLabel, Verdict


class Drop(StrEnum):
    """Why a rollout gets no labels."""

    NO_STEPS = "no steps"
    UNFINISHED = "rollout cut or failed"
    NO_VERDICT = "no verdict"
    VERDICT_UNPARSED = "verdict unparsed"
    VERDICT_REFUSED = "verdict refused"
    VERDICT_ERROR = "verdict error"
    NO_ESTIMATE = "estimate missing or too few graded continuations"
    ESTIMATES_DISAGREE = "judge says all right, estimates disagree"
    FIRST_ERRORS_DIFFER = "judge and estimates name different first errors"
    ERROR_NOT_ESTIMATED = "judge names an error, estimates none"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known of one rollout: a value a step (None: unknown), and the judge's word."""

    values: Sequence[float | None]
    verdict: Verdict | None
    threshold: float

    def first_error(self) -> int | None:
        """The judge's first wrong step. Raises _DroppedError without a usable verdict."""
        if self.verdict is None:
            raise _DroppedError(Drop.NO_VERDICT)
        if self.verdict.status != "ok":
            raise _DroppedError(Drop(f"verdict {self.verdict.status}"))
        return self.verdict.first_error

    def negative(self, index: int) -> bool:
        """Is a step's value at or below the threshold? Raises _DroppedError when unknown."""
        value = self.values[index]
        if value is None:
            raise _DroppedError(Drop.NO_ESTIMATE)
        return value <= self.threshold

    def first_negative(self) -> int | None:
        """First step at or below the threshold. Raises _DroppedError at an unknown one before."""
        return next((i for i in range(len(self.values)) if self.negative(i)), None)


class _DroppedError(Exception):
    def __init__(self, reason: Drop) -> None:
        super().__init__(reason)
        self.reason = reason


def _consensus(seen: _Evidence) -> tuple[int | None, str]:
    error = seen.first_error()
    if error is not None:
        return error, "judge_incorrect"
    # a known veto counts even where another step's value is unknown
    if any(value is not None and value <= seen.threshold for value in seen.values):
        raise _DroppedError(Drop.ESTIMATES_DISAGREE)
    seen.first_negative()
    return None, "judge_correct_mc_agrees"


def _agreement(seen: _Evidence) -> tuple[int | None, str]:
    error = seen.first_error()
    if error is None:
        return _consensus(seen)
    estimated = seen.first_negative()
    if estimated is None:
        raise _DroppedError(Drop.ERROR_NOT_ESTIMATED)
    if estimated != error:
        raise _DroppedError(Drop.FIRST_ERRORS_DIFFER)
    return error, "judge_incorrect_mc_agrees"


def _monte_carlo(seen: _Evidence) -> tuple[int | None, str]:
    error = seen.first_negative()
    return error, "mc_positive" if error is None else "mc_negative"


def _judge(seen: _Evidence) -> tuple[int | None, str]:
    error = seen.first_error()
    return error, "judge_correct" if error is None else "judge_incorrect"


RULES: Mapping[str, Callable[[_Evidence], tuple[int | None, str]]] = {
    "consensus": _consensus,
    "agreement": _agreement,
    "monte_carlo": _monte_carlo,
    "judge": _judge,
}
"""Each names the first wrong step (None: all right) and the case that decided."""


def label_rollout(
    rollout: Rollout,
    estimates: Sequence[StepEstimate],
    verdict: Verdict | None,
    rule: LabelRule,
    *,
    min_graded: int = 1,
) -> tuple[list[StepLabel], str | None]:
    """The labels of a rollout, or an empty list and the reason (a value of ``Drop``).

    With ``after_first_error="stop"`` there are no labels after the first wrong step, and a
    conversation ends there; ``masked`` labels them None, ``negative`` 0. An estimate with fewer
    than ``min_graded`` graded continuations counts as unknown.

    Raises ValueError for estimates or a verdict of another rollout, or out of its range.
    """
    _check_own(rollout, estimates, verdict)
    values: list[float | None] = [None] * len(rollout.steps)
    for item in estimates:
        values[item.step_index] = item.value if item.n_graded >= min_graded else None
    try:
        if not rollout.steps:
            raise _DroppedError(Drop.NO_STEPS)
        if rollout.finish_reason != "stop":
            raise _DroppedError(Drop.UNFINISHED)
        error, case = RULES[rule.name](_Evidence(values, verdict, rule.threshold))
    except _DroppedError as dropped:
        return [], str(dropped.reason)
    return _labels(rollout, error, f"{rule.name}:{case}", rule), None


def _labels(
    rollout: Rollout, first_error: int | None, case: str, rule: LabelRule
) -> list[StepLabel]:
    found: list[StepLabel] = []
    for step in rollout.steps:
        later = first_error is not None and step.index > first_error
        if later and rule.after_first_error == "stop":
            break
        if later:
            label = 0 if rule.after_first_error == "negative" else None
        else:
            label = 0 if step.index == first_error else 1
        found.append(
            StepLabel.model_validate(
                {"rollout_id": rollout.id, "step_index": step.index, "label": label, "rule": case}
            )
        )
    return found


def _check_own(
    rollout: Rollout, estimates: Sequence[StepEstimate], verdict: Verdict | None
) -> None:
    owners = {item.rollout_id for item in estimates}
    owners |= {verdict.rollout_id} if verdict else set()
    if owners - {rollout.id}:
        raise ValueError(f"{rollout.id}: evidence of {sorted(owners - {rollout.id})} given")
    indices = [item.step_index for item in estimates]
    outside = [i for i in indices if not 0 <= i < len(rollout.steps)]
    if outside or len(set(indices)) < len(indices):
        raise ValueError(f"{rollout.id}: estimates repeat or lie outside the steps: {indices}")
    error = verdict.first_error if verdict else None
    if error is not None and not 0 <= error < len(rollout.steps):
        raise ValueError(f"{rollout.id}: verdict names step {error} of {len(rollout.steps)}")
