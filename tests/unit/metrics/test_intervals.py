"""Intervals: coverage at every accuracy, pairing, missing values, known values of tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from vlprm.metrics.intervals import (
    difference_intervals,
    mean_intervals,
    plain,
    ratio_intervals,
    share_intervals,
)

CONFIDENCE = 0.95
ACCURACIES = (0.2, 0.5, 0.8, 0.95, 0.99, 0.999)


@pytest.mark.parametrize("questions", [128, 1000])
@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_one_pick_per_question_is_covered_exactly_as_often_as_said(
    questions: int, accuracy: float
) -> None:
    right = np.arange(questions + 1.0)
    share = right / questions
    variance = share * (1 - share) / questions
    low, high = share_intervals(share, variance, np.full_like(share, questions), CONFIDENCE)
    covers = (low <= accuracy) & (accuracy <= high)
    assert binom.pmf(right, questions, accuracy)[covers].sum() >= 0.95


@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_means_over_draws_are_covered(accuracy: float) -> None:
    generator = np.random.default_rng(3)
    questions, runs, draws = 128, 400, 4
    chance = generator.beta(2 * accuracy, 2 * (1 - accuracy), size=(questions, runs))
    _, low, high = mean_intervals(generator.binomial(draws, chance) / draws, CONFIDENCE)
    assert float(((low <= accuracy) & (accuracy <= high)).mean()) >= 0.93


@pytest.mark.parametrize(("before", "after"), [(0.6, 0.6), (0.6, 0.9), (0.95, 0.999)])
def test_paired_differences_are_covered(before: float, after: float) -> None:
    generator = np.random.default_rng(4)
    hard = generator.beta(2 * before, 2 * (1 - before), size=(256, 400))
    better = hard + (1 - hard) * (after - before) / (1 - before)
    picked = generator.binomial(1, better) - generator.binomial(16, hard) / 16
    _, low, high = difference_intervals(picked, CONFIDENCE)
    truth = after - before
    assert float(((low <= truth) & (truth <= high)).mean()) >= 0.92


def test_a_row_without_an_error_has_the_exact_binomial_interval() -> None:
    mean, low, high = mean_intervals(np.ones((128, 1)), CONFIDENCE)
    assert (mean[0], high[0]) == (1.0, 1.0)
    assert low[0] == pytest.approx(0.025 ** (1 / 128))
    mean, low, high = mean_intervals(np.zeros((128, 1)), CONFIDENCE)
    assert (mean[0], low[0]) == (0.0, 0.0)
    assert high[0] == pytest.approx(1 - 0.025 ** (1 / 128))
    # Clopper and Pearson, 8 of 10
    _, low, high = mean_intervals(np.array([[1.0]] * 8 + [[0.0]] * 2), CONFIDENCE)
    assert (low[0], high[0]) == pytest.approx((0.4439, 0.9748), abs=0.02)


def test_draws_that_average_out_narrow_an_interval() -> None:
    generator = np.random.default_rng(0)
    once = generator.binomial(1, 0.6, size=(500, 1)).astype(float)
    often = generator.binomial(16, 0.6, size=(500, 1)) / 16
    _, low, high = mean_intervals(np.hstack([once, often]), CONFIDENCE)
    assert high[1] - low[1] < 0.35 * (high[0] - low[0])


def test_no_difference_seen_is_not_none_for_certain() -> None:
    mean, low, high = difference_intervals(np.zeros((128, 1)), CONFIDENCE)
    assert mean[0] == 0.0
    assert low[0] == -high[0]
    # Bonett and Price, no discordant pair: 1.96 * sqrt(2) / 130
    assert high[0] == pytest.approx(1.959964 * 2**0.5 / 130, rel=1e-5)


def test_pairing_narrows_a_difference() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(1000)
    first = (generator.random(1000) < hard).astype(float)
    second = np.where(generator.random(1000) < 0.1, 1.0, first)
    _, low, high = mean_intervals(np.stack([first, second], axis=1), CONFIDENCE)
    mean, least, most = difference_intervals((second - first)[:, None], CONFIDENCE)
    assert mean[0] == pytest.approx(second.mean() - first.mean())
    assert most[0] - least[0] < 0.5 * (high - low).sum()
    assert least[0] > 0


def test_missing_values_are_left_out_not_zero() -> None:
    values = np.array([[1.0], [1.0], [np.nan], [np.nan]])
    mean, low, high = mean_intervals(values, CONFIDENCE)
    assert (mean[0], high[0]) == (1.0, 1.0)
    assert low[0] == pytest.approx(0.025 ** (1 / 2))
    for intervals in (mean_intervals, difference_intervals):
        assert np.isnan(intervals(np.full((3, 1), np.nan), CONFIDENCE)).all()
    assert plain(mean[0]) == 1.0
    assert plain(np.nan) is None


def test_things_of_one_question_may_depend_on_each_other() -> None:
    # 100 questions of ten steps: all right or all wrong tells no more than one step each
    right = np.array([10.0] * 80 + [0.0] * 20)
    value, low, high, questions = ratio_intervals(
        np.stack([right, right / 10], axis=1),
        np.stack([np.full(100, 10.0), np.ones(100)], axis=1),
        CONFIDENCE,
    )
    assert (value[0], questions[0]) == (0.8, 100)
    assert (low[0], high[0]) == pytest.approx((low[1], high[1]))
    assert low[0] < 0.72
    assert np.isnan(ratio_intervals(np.zeros((3, 1)), np.zeros((3, 1)), CONFIDENCE)[0]).all()
