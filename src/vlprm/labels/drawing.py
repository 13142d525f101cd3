"""Which continuations to draw next: all of every step, or in rounds until a rule has decided.

Pure: a stage draws what :func:`next_draws` names, adds the checks, and asks again until it names
nothing. A continuation keeps its number, and so its seed, whichever round draws it: draws until
decided are the first ones of all draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from vlprm.answers.equal import Check
from vlprm.config.labels import EstimateConfig
from vlprm.label_rules.rule import EstimateRule, LabelRule
from vlprm.labels.monte_carlo import estimate
from vlprm.records import Rollout, Verdict


def rounds(k: int) -> tuple[int, ...]:
    """Sizes of the rounds of at most ``k`` draws: 1, 1, 2, 4, 8, ..., the last one cut.

    Each doubles what was drawn: at most twice the draws that one at a time would take, in
    log2(k) + 1 rounds. Most right steps end after the first.
    """
    sizes: list[int] = []
    while sum(sizes) < k:
        sizes.append(min(max(1, sum(sizes)), k - sum(sizes)))
    return tuple(sizes)


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
    Without a ``rule`` (``draw: all``) every step is drawn at once. With one a step is drawn while
    the rule asks for it (``steps_to_estimate``) and its side of the threshold may still change:
    labels, and reasons for none, are those of all draws.
    """
    k = config.continuations
    if rule is None:
        return {step.index: range(k) for step in rollout.steps if step.index not in checks}
    if not isinstance(rule, EstimateRule):
        return {}
    ends = list(accumulate(rounds(k)))
    wanted = rule.steps_to_estimate(rollout, verdict, _settled(config, rule, rollout, checks))
    found: dict[int, range] = {}
    for step in wanted:
        drawn = len(checks.get(step, ()))
        found[step] = range(drawn, next(end for end in ends if end > drawn))
    return found


def _settled(
    config: EstimateConfig,
    rule: EstimateRule,
    rollout: Rollout,
    checks: Mapping[int, Sequence[Check]],
) -> dict[int, bool | None]:
    """Steps that no further continuation can change, with their side of the threshold."""
    found: dict[int, bool | None] = {}
    for step, own in checks.items():
        seen = estimate(rollout.id, step, own, failed_as=config.failed_as)
        remaining = config.continuations - len(own)
        if rule.decided(seen.n_correct, seen.n_graded, remaining, config.min_graded):
            found[step] = rule.above(seen.n_correct, seen.n_graded, config.min_graded)
    return found
