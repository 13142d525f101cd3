"""First-error bisection: the first negative step of all draws, in log2 looks."""

from __future__ import annotations

from itertools import product
from math import ceil, log2
from typing import Any, Literal

import pytest

from tests.unit.labels.test_drawing import FAILED, RIGHT, WRONG, Checks, drawn, estimates
from tests.unit.labels.test_rollout_labels import rollout
from vlprm.config.estimates import EstimateConfig
from vlprm.label_rules.monte_carlo import MonteCarlo
from vlprm.labels.bisection import following, known, next_look
from vlprm.labels.rollout_labels import label_rollout

RULE = MonteCarlo(name="monte_carlo", after_first_error="negative", threshold=0.5)
DRAWS: tuple[dict[str, Any], ...] = (
    {"draw": "all"},
    {"draw": "until_decided"},
    {"draw": "sequential", "error": 0.05},
)


def config(
    steps: Literal["all", "bisection"], keys: dict[str, Any] | None = None
) -> EstimateConfig:
    made = {"continuations": 4, "failed_as": "missing", "min_graded": 2, "steps": steps}
    return EstimateConfig.model_validate(made | (keys or {}))


@pytest.mark.parametrize("keys", DRAWS, ids=str)
@pytest.mark.parametrize("free", [False, True])
def test_finds_the_first_wrong_step_wherever_it_is(keys: dict[str, Any], free: bool) -> None:
    asked, plain = config("bisection", keys), config("all")
    for steps in range(1, 18):
        item = rollout(steps)
        for first in range(steps + 1):
            truth: Checks = {at: [RIGHT if at < first else WRONG] * 4 for at in range(steps)}
            given = {steps - 1: truth[steps - 1]} if free else {}
            some = drawn(asked, RULE, item, None, truth, given)
            looked = len(some)
            assert looked <= 1 + ceil(log2(steps)) + 1
            if first == steps:
                assert looked == 1  # the last one is right, so all are
            found = label_rollout(item, estimates(asked, some), None, RULE, drawn=asked)
            whole = label_rollout(item, estimates(plain, truth), None, RULE, min_graded=2)
            assert found == whole


def test_all_draws_of_a_step_that_is_looked_at_are_one_request() -> None:
    asked = config("bisection")
    some = drawn(asked, RULE, rollout(9), None, dict.fromkeys(range(9), [WRONG] * 4), {})
    assert all(len(own) == 4 for own in some.values())
    assert list(some) == [8, 3, 1, 0]


def test_a_step_that_stays_unknown_is_stepped_over_and_drops_the_rollout() -> None:
    """Unless a wrong step before it is found."""
    asked = config("bisection")
    truth: Checks = {at: [WRONG] * 4 for at in range(5)} | {1: [FAILED] * 4}
    found = drawn(asked, RULE, rollout(5), None, truth, {})
    assert list(found) == [4, 1, 2, 0]
    labels, reason = label_rollout(rollout(5), estimates(asked, found), None, RULE, drawn=asked)
    assert (labels[0].label, reason) == (0, None)
    truth[0] = [RIGHT] * 4
    found = drawn(asked, RULE, rollout(5), None, truth, {})
    labels, reason = label_rollout(rollout(5), estimates(asked, found), None, RULE, drawn=asked)
    assert (labels, reason) == ([], "estimate missing or too few graded continuations")


def test_what_follows_is_monotone_and_keeps_what_was_seen() -> None:
    for above in product((True, False, None), repeat=5):
        follows = following(above)
        assert follows == sorted(follows, key=[True, None, False].index)
        assert following(follows) == follows
        first = above.index(False) if False in above else 5
        assert all(follows[at] is not False for at in range(first))
        assert all(side is False for side in follows[first:])
    assert following([None, True, None, False, True]) == [True, True, None, False, False]


def test_known_and_next_look() -> None:
    assert known(4, {1: True, 2: None}) == {0: True, 1: True, 2: None}
    assert next_look(4, (0, 1, 2, 3)) == (3,)
    assert next_look(4, (0, 1, 2)) == (1,)
    assert next_look(4, ()) == ()
