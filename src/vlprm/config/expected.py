"""Continuations that a rollout will probably take: what is assumed of data not yet drawn.

All assumptions stand here. How many rollouts the judge calls right, and how many of these
estimates contradict, are the authors' own counts (``published_counts.csv``: specification, field
1.2, stages A and B at threshold 0); a source of another kind is taken as the mean of theirs. A
step's value is taken as nearly all or nothing: in the authors' published sample 180 of 182 steps
have 0 or 16 right of 16 (``bench/adaptive_mc.py``). The rest is on the safe side: ``RIGHT``, and
that no right step is spared because another one was decided first.
"""

from __future__ import annotations

from functools import cache
from math import ceil, comb, log2

from vlprm.config.estimates import EstimateConfig
from vlprm.config.published_counts import published_counts
from vlprm.config.run import Config
from vlprm.label_rules.rule import EstimateRule, Seen
from vlprm.records import StepEstimate, Verdict

PREFIXES = 8.7
"""Continued prefixes per rollout: 71.5 million continuations of 515,400 rollouts x 16."""
RIGHT, WRONG = 0.8, 0.0
"""Share of right continuations of a right step and of a wrong one. At threshold 0 that is 1.3 draws
of a right step; the published sample has 1.15 (127 steps of 16 of 16, two of 1 of 16)."""
STEPS = 9
ERROR = 4
"""Steps of a typical rollout, and the first wrong one where one is wrong."""


def shares(kind: str) -> tuple[float, float]:
    """Of all rollouts of a source: those that the judge calls right, those that are."""
    counts = published_counts()
    rows = [counts[kind]] if kind in counts else list(counts.values())
    seen = sum(row["right"] + row["wrong"] + row["none"] for row in rows)
    judged = sum(row["right"] for row in rows) / seen
    agreed = [row["right"] * row["correct"] / (row["correct"] + row["disagree"]) for row in rows]
    return judged, sum(agreed) / seen


def continuations(config: Config, source: str) -> float:
    """Drawn for one rollout of a source."""
    estimates, rule = config.labels.estimates, config.labels.rule
    if estimates is None:
        return 0.0
    if not estimates.stops:
        return PREFIXES * estimates.continuations
    if not isinstance(rule, EstimateRule):
        return 0.0
    judged, right = shares(config.sources[source].data.kind)
    # found right; called right, never so; called wrong
    rollouts = (
        (right, _said(None), (RIGHT,) * STEPS),
        (judged - right, _said(None), (WRONG,) * STEPS),
        (1 - judged, _said(ERROR), (RIGHT,) * ERROR + (WRONG,) * (STEPS - ERROR)),
    )
    found = sum(share * _drawn(estimates, rule, said, v) for share, said, v in rollouts)
    return found * PREFIXES / STEPS


def _said(error: int | None) -> Verdict:
    return Verdict(rollout_id="", judge="", first_error=error, status="ok", raw="")


def _seen(right: int, graded: int) -> StepEstimate:
    return StepEstimate(rollout_id="", step_index=0, n_correct=right, n_graded=graded, n_failed=0)


def _drawn(
    estimates: EstimateConfig, rule: EstimateRule, verdict: Verdict, values: tuple[float, ...]
) -> float:
    """Of a rollout whose steps have these shares of right continuations."""
    read = [values[step] for step in rule.reads(Seen([None] * len(values), verdict))]
    each = [step_draws(estimates, rule, value) for value in read]
    if not each:
        return 0.0
    if estimates.steps == "bisection":
        looks = 1 if min(read) == RIGHT else 1 + ceil(log2(len(read)))  # right: the last one is
        return looks * sum(each) / len(each)
    if estimates.doubtful_first and WRONG in read:  # the first wrong one spares the others
        wrong = read.index(WRONG)
        first = estimates.sides(rule).next_end(_seen(0, 0))
        return sum(each[: wrong + 1]) + first * sum(value == WRONG for value in read[wrong + 1 :])
    return sum(each)


@cache
def step_draws(estimates: EstimateConfig, rule: EstimateRule, value: float) -> float:
    """Draws until a step of this share of right continuations is left, none of them failed."""
    sides, found = estimates.sides(rule), 0.0
    states = {(0, 0): 1.0}
    while states:
        state = min(states, key=sum)
        chance, (right, drawn) = states.pop(state), (state[0], sum(state))
        seen = _seen(right, drawn)
        if sides.settled(seen):
            found += chance * drawn
            continue
        more = sides.next_end(seen) - drawn
        for new in range(more + 1):
            odds = comb(more, new) * value**new * (1 - value) ** (more - new)
            if odds:
                after = (right + new, drawn - right + more - new)
                states[after] = states.get(after, 0.0) + chance * odds
    return found
