"""Draws in rounds: labels, and reasons for none, are those of all draws, for every rule."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import numpy as np
import pytest

from tests.unit.labels.test_rollout_labels import rollout, says
from vlprm.answers.equal import Check
from vlprm.config.estimates import EstimateConfig
from vlprm.label_rules import RULES, LabelRule
from vlprm.label_rules.rule import EstimateRule
from vlprm.labels.drawing import next_draws
from vlprm.labels.monte_carlo import estimate
from vlprm.labels.rollout_labels import label_rollout
from vlprm.records import Rollout, StepEstimate, Verdict

RIGHT, WRONG, FAILED = Check(True, "text"), Check(False, "text"), Check(None, "text", "cut")
STATUSES: tuple[Any, ...] = ("ok", "ok", "ok", "ok", "unparsed", "refused", "error")
Checks = dict[int, list[Check]]
SIDES = {True: (2, 2), False: (0, 2), None: (0, 0)}
"""Counts of two draws that say so."""


def rules() -> list[LabelRule]:
    found: list[LabelRule] = []
    for kind in RULES.values():
        for after in ("stop", "negative", "masked"):
            keys: dict[str, Any] = {"after_first_error": after}
            name = {"name": next(k for k, v in RULES.items() if v is kind)}
            thresholds = (0.0, 0.3, 0.5) if issubclass(kind, EstimateRule) else ()
            found += [kind.model_validate(name | keys | {"threshold": t}) for t in thresholds]
            found += [] if thresholds else [kind.model_validate(name | keys)]
    return found


def config(k: int, min_graded: int, failed_as: Literal["missing", "wrong"]) -> EstimateConfig:
    return EstimateConfig(
        continuations=k, failed_as=failed_as, min_graded=min_graded, draw="until_decided"
    )


def drawn(
    of: EstimateConfig,
    rule: LabelRule,
    item: Rollout,
    verdict: Verdict | None,
    truth: Checks,
    free: Checks,
) -> Checks:
    """What a stage draws, round after round; ``free``: steps that need no drawing."""
    checks = {step: list(own) for step, own in free.items()}
    for _ in range(99):
        wanted = next_draws(of, rule, item, verdict, checks)
        if not wanted:
            return checks
        for step, numbers in wanted.items():
            own = checks.setdefault(step, [])
            assert numbers.start == len(own), "in order, none twice"
            own += [truth[step][number] for number in numbers]
    raise AssertionError("draws without end")


def estimates(of: EstimateConfig, checks: Checks) -> list[StepEstimate]:
    return [estimate("q#0", s, own, failed_as=of.failed_as) for s, own in checks.items()]


def verdicts(rng: np.random.Generator, steps: int) -> Verdict | None:
    status = STATUSES[rng.integers(len(STATUSES))]
    if status != "ok":
        return says(None, status) if status != "error" else None
    place = int(rng.integers(-steps, steps))
    return says(place if place >= 0 else None)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.model_dump_json())
def test_labels_are_those_of_all_draws(rule: LabelRule) -> None:
    """Random evidence: every status of the judge, continuations that fail, finished prefixes."""
    rng = np.random.default_rng(17)
    saved = 0
    for _ in range(300):
        k = int(rng.integers(1, 9))
        of = config(k, int(rng.integers(1, k + 1)), ("missing", "wrong")[rng.integers(2)])
        of = of.model_copy(update={"doubtful_first": bool(rng.integers(2))})
        steps = int(rng.integers(0, 6))
        item = rollout(steps, finish_reason="stop" if rng.random() < 0.95 else "length")
        odds = rng.dirichlet((1.0, 1.0, 0.3), size=steps)
        truth = {
            step: [(RIGHT, WRONG, FAILED)[place] for place in rng.choice(3, size=k, p=odds[step])]
            for step in range(steps)
        }
        free = {steps - 1: [truth[steps - 1][0]] * k} if steps and rng.random() < 0.5 else {}
        truth |= free
        verdict = verdicts(rng, steps) if steps else None
        some = drawn(of, rule, item, verdict, truth, free)
        whole = label_rollout(item, estimates(of, truth), verdict, rule, min_graded=of.min_graded)
        found = label_rollout(item, estimates(of, some), verdict, rule, min_graded=of.min_graded)
        assert found == whole
        saved += sum(map(len, truth.values())) - sum(map(len, some.values()))
    assert saved


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.model_dump_json())
def test_steps_that_are_not_asked_for_change_nothing(rule: LabelRule) -> None:
    """Every evidence of three steps: what ``steps_to_estimate`` leaves out may be anything."""
    item = rollout(3)
    said = [None, says(None), says(0), says(1), says(2), says(None, "unparsed")]
    known = {"up": (2, 2), "down": (0, 2), "unknown": (0, 0)}
    for verdict in said:
        if not isinstance(rule, EstimateRule):
            continue
        for sides in product(known, repeat=3):
            settled: dict[int, bool | None] = {}
            while wanted := rule.steps_to_estimate(item, verdict, settled):
                step = wanted[-1]  # an order that no rule reads in
                settled[step] = rule.above(*known[sides[step]], 2)
            seen = [_estimate(step, *known[sides[step]]) for step in settled]
            outcome = label_rollout(item, seen, verdict, rule, min_graded=2)
            for other in product(known, repeat=3):
                full = [
                    _estimate(step, *known[(sides if step in settled else other)[step]])
                    for step in range(3)
                ]
                assert label_rollout(item, full, verdict, rule, min_graded=2) == outcome


def _estimate(step: int, correct: int, graded: int) -> StepEstimate:
    return StepEstimate(
        rollout_id="q#0", step_index=step, n_correct=correct, n_graded=graded, n_failed=2 - graded
    )


def test_where_the_judge_names_an_error_consensus_draws_nothing() -> None:
    (rule, *_) = rules()
    assert rule.name == "consensus"
    assert next_draws(config(8, 4, "missing"), rule, rollout(), says(1), {}) == {}
    first = next_draws(config(8, 4, "missing"), rule, rollout(), says(None), {})
    assert first == {0: range(1), 1: range(1), 2: range(1)}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.model_dump_json())
def test_sequential_draws_are_the_first_of_all_and_labels_follow_them(rule: LabelRule) -> None:
    """At threshold 0 they are those until decided, draw by draw; else fewer, and no label lacks."""
    rng = np.random.default_rng(23)
    fewer = 0
    for _ in range(60):
        k = int(rng.choice([1, 4, 6, 8]))
        of = config(k, int(rng.integers(1, k + 1)), ("missing", "wrong")[rng.integers(2)])
        tested = of.model_copy(update={"draw": "sequential", "error": 0.1})
        item, steps = rollout(4), 4
        odds = rng.dirichlet((1.0, 1.0, 0.3), size=steps)
        truth = {
            step: [(RIGHT, WRONG, FAILED)[place] for place in rng.choice(3, size=k, p=odds[step])]
            for step in range(steps)
        }
        free = {3: [truth[3][0]] * k} if rng.random() < 0.5 else {}
        truth |= free
        verdict = verdicts(rng, steps)
        until = drawn(of, rule, item, verdict, truth, free)
        some = drawn(tested, rule, item, verdict, truth, free)
        assert all(own == truth[step][: len(own)] for step, own in some.items())
        exact = not isinstance(rule, EstimateRule) or rule.threshold == 0
        if exact:
            assert some == until
        fewer += sum(map(len, until.values())) - sum(map(len, some.values()))
        if not isinstance(rule, EstimateRule):
            continue
        # the sides that ended the draws are those that the label rule reads
        found = label_rollout(item, estimates(tested, some), verdict, rule, drawn=tested)
        sides = tested.sides(rule)
        above = {one.step_index: sides.of(one) for one in estimates(tested, some)}
        told = [_estimate(s, *SIDES[side]) for s, side in above.items()]
        assert found == label_rollout(item, told, verdict, rule, min_graded=2)
    assert fewer > 0 or exact


def test_doubtful_first_spares_what_a_negative_step_decides() -> None:
    """One step's draws instead of every step's, where all are wrong; the first in order counts."""
    (rule, *_) = rules()
    together = config(8, 4, "missing")
    first = together.model_copy(update={"doubtful_first": True})
    truth: Checks = {0: [RIGHT] * 8, 1: [WRONG] * 8, 2: [WRONG] * 8}
    many, few = (drawn(of, rule, rollout(), says(None), truth, {}) for of in (together, first))
    assert {step: len(own) for step, own in many.items()} == {0: 1, 1: 8, 2: 8}
    assert {step: len(own) for step, own in few.items()} == {0: 1, 1: 8, 2: 1}
    seen = {0: [WRONG, RIGHT, WRONG], 1: [WRONG, WRONG], 2: [WRONG]}
    tested = first.model_copy(update={"draw": "sequential", "error": 0.05})
    half = next(one for one in rules() if isinstance(one, EstimateRule) and one.threshold == 0.5)
    assert list(next_draws(tested, half, rollout(), says(None), seen)) == [1]


def test_without_a_rule_everything_is_drawn_at_once() -> None:
    free: Checks = {2: [RIGHT] * 8}
    of = config(8, 4, "missing").model_copy(update={"draw": "all"})
    assert next_draws(of, None, rollout(), says(1), free) == {0: range(8), 1: range(8)}
