"""The labels of one rollout: its evidence through a label rule, or why it is dropped."""

from __future__ import annotations

from collections.abc import Sequence

from vlprm.config.estimates import EstimateConfig
from vlprm.label_rules.rule import DroppedError, EstimateRule, LabelRule, Seen, unlabelled
from vlprm.labels.bisection import following
from vlprm.records import Rollout, StepEstimate, StepLabel, Verdict


def label_rollout(
    rollout: Rollout,
    estimates: Sequence[StepEstimate],
    verdict: Verdict | None,
    rule: LabelRule,
    *,
    min_graded: int = 1,
    drawn: EstimateConfig | None = None,
) -> tuple[list[StepLabel], str | None]:
    """The labels of a rollout, or an empty list and the reason (a ``label_rules.rule.Drop``).

    With ``after_first_error="stop"`` there are no labels after the first wrong step, and a
    conversation ends there; ``masked`` labels them None, ``negative`` 0. What an estimate with
    fewer than ``min_graded`` graded continuations says: ``EstimateRule.above``. An estimate that
    was stopped early (``estimates.draw: until_decided``) says the same as a whole one; what ended
    the draws otherwise is read with ``drawn``, the configuration of these estimates.

    Raises ValueError for estimates or a verdict of another rollout, or out of its range.
    """
    _check_own(rollout, estimates, verdict)
    if (reason := unlabelled(rollout)) is not None:
        return [], str(reason)
    above: list[bool | None] = [None] * len(rollout.steps)
    if isinstance(rule, EstimateRule):
        sides = drawn.sides(rule) if drawn is not None else None
        for item in estimates:
            above[item.step_index] = (
                rule.above(item.n_correct, item.n_graded, min_graded)
                if sides is None
                else sides.of(item)
            )
        if drawn is not None and drawn.steps == "bisection":
            above = following(above)
    try:
        error, case = rule.first_error(Seen(above, verdict))
    except DroppedError as dropped:
        return [], dropped.reason
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
