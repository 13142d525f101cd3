"""Verdicts drawn by stratum, and what marks say of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vlprm.metrics.audit import Mark, Verdicted, agreement, draw
from vlprm.metrics.intervals import share_intervals


def verdict(source: str, question: int, number: int, error: int | None) -> Verdicted:
    sample = f"{source}/{question}"
    return Verdicted(f"{sample}/p#{number:03d}", sample, source, error)


# 100 questions of 3 rollouts; in b nearly all is wrong
WHOLE = [
    verdict(source, q, k, None if (q + k) % (2 if source == "a" else 50) == 0 else k)
    for source in "ab"
    for q in range(50)
    for k in range(3)
]


def test_as_many_of_each_stratum_and_no_question_twice() -> None:
    chosen, sizes = draw(WHOLE, 20, seed=1)
    assert sum(sizes.values()) == len(WHOLE)
    counts = Counter(item.stratum for item in chosen)
    assert counts["b", True] == 3  # all that there are, one of each question
    assert max(counts.values()) - min(counts["a", True], counts["a", False]) <= 1
    assert len({item.sample_id for item in chosen}) == len(chosen) == 20


def test_the_draw_follows_from_seed_and_ids() -> None:
    chosen, sizes = draw(WHOLE, 20, seed=1)
    assert draw(WHOLE[::-1], 20, seed=1) == (chosen, sizes)
    assert draw(WHOLE, 20, seed=2)[0] != chosen
    assert {item.rollout_id for item in draw(WHOLE, 12, seed=1)[0]} <= {
        item.rollout_id for item in chosen
    }
    assert len(draw(WHOLE, 10**6, seed=1)[0]) == 100
    assert draw([], 5, seed=1) == ([], {})


def test_one_stratum_is_a_plain_share() -> None:
    drawn = [verdict("a", q, 0, None) for q in range(10)]
    marks: list[Mark] = ["right"] * 7 + [0, "unclear", None]
    whole, step, own = agreement(drawn, marks, {("a", True): 10}, 0.95)
    assert (whole.value, whole.marks) == (pytest.approx(7 / 8), 8)
    exact = share_intervals(np.array([7 / 8]), np.array([np.nan]), np.array([8.0]), 0.95)
    assert (whole.low, whole.high) == tuple(pytest.approx(v[0], abs=1e-9) for v in exact)
    assert (own.value, own.low) == (whole.value, whole.low)
    assert (step.value, step.marks) == (None, 0)


def test_strata_are_weighed_by_their_size() -> None:
    drawn = [verdict("a", q, 0, None) for q in range(4)] + [
        verdict("a", q, 0, 1) for q in range(4, 8)
    ]
    marks: list[Mark] = ["right", "right", "right", "right", 1, 1, 0, "right"]
    sizes = {("a", False): 900, ("a", True): 100}
    whole, step, wrong, right = agreement(drawn, marks, sizes, 0.95)
    assert whole.value == pytest.approx(0.1 * 1 + 0.9 * 0.75)
    assert step.value == pytest.approx(2 / 3)
    assert (wrong.value, right.value) == (0.75, 1.0)
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low < whole.value < whole.high  # type: ignore[operator]
    assert right.high == 1.0
    assert right.low is not None
    assert right.low < 0.5  # four marks say little
