"""Which continuations to draw next: all of every step, or in rounds until a rule has decided.

Pure: a stage draws what :func:`next_draws` names, adds the checks, and asks again until it names
nothing. A continuation keeps its number, and so its seed, whichever round draws it: draws until
decided are the first ones of all draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlprm.answers.equal import Check
from vlprm.config.estimates import EstimateConfig
from vlprm.label_rules.rule import EstimateRule, LabelRule
from vlprm.labels import bisection
from vlprm.labels.monte_carlo import estimate
from vlprm.records import Rollout, StepEstimate, Verdict


def next_draws(
    config: EstimateConfig,
    rule: LabelRule | None,
    rollout: Rollout,
    verdict: Verdict | None,
    checks: Mapping[int, Sequence[Check]],
) -> dict[int, range]:
    """Numbers of the continuations to draw next, by step; empty: this rollout's are drawn.

    ``checks``: those drawn so far by step, in the order of their numbers; a step whose prefix
    holds the final answer comes with all of its ``continuations``, which need no drawing.
    Without a ``rule`` (all draws of all steps) every step is drawn at once. With one a step is
    drawn while the rule asks for it (``steps_to_estimate``) and its side of the threshold may
    still change: labels, and reasons for none, are those of all draws. With ``draw: sequential``
    a side is also left where the test says so (``label_rules.sequential``); with ``steps:
    bisection`` one step at a time is looked at (``labels.bisection``). ``doubtful_first`` leaves
    labels alone: no rule minds in which order it learns of steps.
    """
    if rule is None:
        k = config.continuations
        return {step.index: range(k) for step in rollout.steps if step.index not in checks}
    if not isinstance(rule, EstimateRule):
        return {}
    sides = config.sides(rule)
    seen = {
        step: estimate(rollout.id, step, own, failed_as=config.failed_as)
        for step, own in checks.items()
    }
    settled = {step: sides.of(own) for step, own in seen.items() if sides.settled(own)}
    steps = len(rollout.steps)
    if config.steps == "bisection":
        settled = bisection.known(steps, settled)
    wanted: Sequence[int] = rule.steps_to_estimate(rollout, verdict, settled)
    if config.steps == "bisection":
        wanted = bisection.next_look(steps, wanted)
    elif config.doubtful_first:
        wanted = _doubtful(wanted, seen)
    found: dict[int, range] = {}
    for step in wanted:
        so_far = seen.get(step, estimate(rollout.id, step, ()))
        found[step] = range(len(checks.get(step, ())), sides.next_end(so_far))
    return found


def _doubtful(wanted: Sequence[int], seen: Mapping[int, StepEstimate]) -> Sequence[int]:
    """Of open steps, those without a draw; once all have some, the one of the least value.

    Where it turns out negative, most rules read no other: a rollout that is wrong from a step on
    costs that step's draws alone.
    """
    untouched = [step for step in wanted if step not in seen]
    if untouched or not wanted:
        return untouched
    return [min(wanted, key=lambda step: (seen[step].value or 0.0, -seen[step].n_graded, step))]
