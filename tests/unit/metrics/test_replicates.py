"""Trainings pooled into one row: its mean, and an interval that knows their luck."""

from __future__ import annotations

import numpy as np
import pytest

from vlprm.metrics.intervals import difference_intervals, mean_intervals
from vlprm.metrics.replicates import of_trainings, pooled_rows
from vlprm.metrics.rows import Row, Values

CONFIDENCE = 0.95


def row(prm: str | None) -> Row:
    return prm, "best_of_n_orm", None, 8


def test_a_group_is_the_mean_of_its_trainings() -> None:
    rows = {
        row("one"): Values(np.array([1.0, 0.0, np.nan, 1.0]), 0.1),
        row("two"): Values(np.array([1.0, 1.0, 1.0, 0.0]), 0.3),
        row(None): Values(np.zeros(4), 0.0),
        ("one", "alone", None, 8): Values(np.zeros(4), 0.0),
    }
    found = pooled_rows(rows, {"both": ("one", "two")}, CONFIDENCE)
    assert list(found) == [row("both")]
    pooled = found[row("both")]
    np.testing.assert_array_equal(pooled.of_question, [1.0, 0.5, np.nan, 0.5])
    assert pooled.unfinished == pytest.approx(0.2)


def test_equal_trainings_are_as_one() -> None:
    one = np.random.default_rng(0).binomial(1, 0.6, size=200).astype(float)
    values = np.stack([one] * 3, axis=1)
    assert of_trainings(values, CONFIDENCE) == pytest.approx(0.0, abs=1e-15)


def test_trainings_apart_widen_the_interval() -> None:
    generator = np.random.default_rng(1)
    values = np.stack([generator.binomial(1, p, size=500) for p in (0.5, 0.6, 0.7)], 1) * 1.0
    more = of_trainings(values, CONFIDENCE)
    mean = values.mean(axis=1)[:, None]
    for interval in (mean_intervals, difference_intervals):
        _, low, high = interval(mean, CONFIDENCE)
        _, lower, higher = interval(mean, CONFIDENCE, more)
        assert lower[0] < low[0] < high[0] < higher[0]
    # Student's interval of three accuracies at least, without a question's luck
    half = 4.303 * values.mean(axis=0).std(ddof=1) / 3**0.5
    _, lower, higher = difference_intervals(mean, CONFIDENCE, more)
    assert higher[0] - lower[0] >= 2 * half


@pytest.mark.parametrize("luck", [0.0, 0.05])
def test_it_covers(luck: float) -> None:
    generator = np.random.default_rng(2)
    runs, questions, trainings = 1000, 200, 3
    chance = generator.beta(3, 2, size=(questions, 1, runs))
    shift = generator.normal(0, luck, size=(1, trainings, runs))
    values = generator.binomial(1, np.clip(chance + shift, 0, 1)).astype(float)
    more = of_trainings(values, CONFIDENCE)
    _, low, high = mean_intervals(values.mean(axis=1), CONFIDENCE, more)
    assert np.mean((low <= 0.6) & (high >= 0.6)) >= 0.93
