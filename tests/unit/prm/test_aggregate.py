"""Laws of the aggregations, and the published reward's edge cases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlprm.prm.aggregate import AGGREGATIONS, p_minus, p_plus, published_rank, published_reward
from vlprm.records import StepScore

LOGITS = st.floats(-60, 60)
PAIRS = st.lists(st.tuples(LOGITS, LOGITS), min_size=1, max_size=30)
EXACT = 1e-12


def scores(pairs: Sequence[tuple[float, float]]) -> list[StepScore]:
    return [
        StepScore(
            rollout_id="r", step_index=i, logit_plus=p, logit_minus=m, prompt_tokens=50 + 10 * i
        )
        for i, (p, m) in enumerate(pairs)
    ]


@given(PAIRS)
def test_order_of_aggregations(pairs: list[tuple[float, float]]) -> None:
    value = {name: f(scores(pairs)) for name, f in AGGREGATIONS.items()}
    assert 0 <= value["product"] <= value["min"] <= value["mean"] + EXACT
    assert value["mean"] <= value["max"] + EXACT
    assert value["min"] <= value["last"] <= value["max"] <= 1


@given(PAIRS, st.integers(0, 29), st.floats(0.01, 20))
def test_a_better_step_never_lowers_the_score(
    pairs: list[tuple[float, float]], at: int, more: float
) -> None:
    at %= len(pairs)
    better = [(p + more, m) if i == at else (p, m) for i, (p, m) in enumerate(pairs)]
    for name, aggregate in AGGREGATIONS.items():
        assert aggregate(scores(better)) >= aggregate(scores(pairs)) - EXACT, name


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_of_steps_matters_to_last_only(pairs: list[tuple[float, float]], random) -> None:  # type: ignore[no-untyped-def]
    mixed = list(pairs)
    random.shuffle(mixed)
    for name in ("min", "mean", "max", "product", "sum_logit", "mean_logit"):
        here, there = AGGREGATIONS[name](scores(pairs)), AGGREGATIONS[name](scores(mixed))
        assert here == pytest.approx(there, rel=1e-12, abs=1e-300), name


@given(PAIRS, st.floats(-100, 100))
def test_a_common_shift_of_logits_changes_nothing(
    pairs: list[tuple[float, float]], shift: float
) -> None:
    moved = [(p + shift, m + shift) for p, m in pairs]
    for name, aggregate in AGGREGATIONS.items():
        assert aggregate(scores(moved)) == pytest.approx(
            aggregate(scores(pairs)), rel=1e-9, abs=1e-9
        ), name


@given(LOGITS, LOGITS)
def test_one_step_is_its_own_aggregate(plus: float, minus: float) -> None:
    one = scores([(plus, minus)])
    assert {AGGREGATIONS[n](one) for n in ("min", "mean", "product", "last", "max")} == {
        p_plus(one[0])
    }
    assert p_plus(one[0]) + p_minus(one[0]) == pytest.approx(1)


def test_extreme_logits_do_not_overflow() -> None:
    low, high = scores([(-2000.0, 0.0), (2000.0, 0.0)])
    assert (p_plus(low), p_plus(high)) == (0.0, 1.0)


def test_published_reward_by_hand() -> None:
    plus = 1 / (1 + math.exp(-1.0))
    score = scores([(9.0, 0.0), (1.0, 0.0)])
    assert AGGREGATIONS["published_reward"](score) == pytest.approx(plus**0.3 / 60**0.6)


def test_published_labels() -> None:
    assert published_reward(0.5, 0.5, 100) == pytest.approx(0.5**0.3 / 100**0.6)
    assert published_reward(0.4, 0.6, 100) == -1
    assert published_rank(0.4, 0.6, 100) > published_rank(0.3, 0.7, 100)
    assert published_rank(0.5, 0.5, 10**9) > published_rank(0.499, 0.501, 1)


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_nothing_to_aggregate(name: str) -> None:
    with pytest.raises(ValueError, match="no step scores"):
        AGGREGATIONS[name]([])
    with pytest.raises(ValueError, match="not finite"):
        AGGREGATIONS[name](scores([(math.nan, 0.0)]))
