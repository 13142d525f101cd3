"""The sequential test: its chances of an error, against every order of every outcome."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Literal

import pytest

from vlprm.config.estimates import EstimateConfig
from vlprm.label_rules.monte_carlo import MonteCarlo
from vlprm.label_rules.sequential import Counts, boundaries, ends, rounds
from vlprm.records import StepEstimate

FailedAs = Literal["missing", "wrong"]


def rule(threshold: float) -> MonteCarlo:
    return MonteCarlo(name="monte_carlo", after_first_error="stop", threshold=threshold)


def config(k: int, error: float, failed_as: FailedAs = "missing") -> EstimateConfig:
    return EstimateConfig(
        continuations=k,
        failed_as=failed_as,
        min_graded=max(1, k // 2),
        draw="sequential",
        error=error,
    )


def seen(counts: Counts, failed_as: FailedAs) -> StepEstimate:
    right, wrong, failed = counts
    graded = right + wrong + (failed if failed_as == "wrong" else 0)
    return StepEstimate(
        rollout_id="q#0", step_index=0, n_correct=right, n_graded=graded, n_failed=failed
    )


def counted(order: tuple[str, ...]) -> Counts:
    return order.count("right"), order.count("wrong"), order.count("failed")


def test_rounds_double_what_was_drawn() -> None:
    assert rounds(16) == (1, 1, 2, 4, 8)
    assert rounds(8) == (1, 1, 2, 4)
    assert rounds(12) == (1, 1, 2, 4, 4)
    assert rounds(1) == (1,)
    assert all(sum(rounds(k)) == k for k in range(1, 99))
    assert ends(16) == (1, 2, 4, 8, 16)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("failed_as", ["missing", "wrong"])
def test_the_share_of_orders_with_another_side_is_the_stated_one(
    threshold: float, failed_as: FailedAs
) -> None:
    """Every outcome of six draws, in every order, drawn as a stage draws them."""
    k, error, own = 6, 0.2, rule(threshold)
    asked = config(k, error, failed_as)
    sides = asked.sides(own)
    known = boundaries(own, k, asked.min_graded, error, failing=failed_as == "missing").errors
    left_early = 0
    for right in range(k + 1):
        for wrong in range(k + 1 - right):
            outcome = ["right"] * right + ["wrong"] * wrong
            outcome += ["failed"] * (k - right - wrong)
            orders = set(permutations(outcome))
            whole = sides.of(seen(counted(tuple(outcome)), failed_as))
            other = 0
            for order in orders:
                n = 0
                while n < k and not sides.settled(seen(counted(order[:n]), failed_as)):
                    n = sides.next_end(seen(counted(order[:n]), failed_as))
                left_early += n < k
                other += sides.of(seen(counted(order[:n]), failed_as)) is not whole
            graded = (right, wrong, k - right - wrong)
            place = graded if failed_as == "missing" else (right, k - right, 0)
            assert Fraction(other, len(orders)) == (known[place] if threshold else 0)
            assert Fraction(other, len(orders)) <= Fraction(str(error))
    assert left_early


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("error", [0.01, 0.05, 0.2])
def test_no_outcome_of_sixteen_has_a_larger_error(threshold: float, error: float) -> None:
    for failing in (False, True):
        found = boundaries(rule(threshold), 16, 8, error, failing=failing)
        assert max(found.errors.values()) <= Fraction(str(error))
        assert found.sides


def test_a_step_is_asked_of_again_only_where_it_may_be_left() -> None:
    """At one half neither one draw nor two say anything, so four are one request."""
    sides = config(16, 0.05).sides(rule(0.5))
    assert sides.next_end(seen((0, 0, 0), "missing")) == 4
    assert sides.of(seen((4, 0, 0), "missing")) is True
    assert sides.of(seen((0, 4, 0), "missing")) is False
    assert not sides.settled(seen((2, 2, 0), "missing"))
    assert sides.next_end(seen((2, 2, 0), "missing")) == 16
    assert sides.next_end(seen((3, 1, 0), "missing")) == 8


def test_at_threshold_zero_nothing_is_guessed() -> None:
    sides = config(16, 0.49).sides(rule(0.0))
    assert sides.next_end(seen((0, 0, 0), "missing")) == 1
    assert sides.settled(seen((1, 0, 0), "missing"))
    assert not sides.settled(seen((0, 8, 0), "missing"))
