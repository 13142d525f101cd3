"""Bootstrap over questions: coverage, pairing, missing values, repeatability."""

from __future__ import annotations

import numpy as np
import pytest

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.intervals import mean_intervals, plain, statistic_intervals

CONFIG = MetricsConfig(
    resamples=1000, confidence=0.95, seed=1, thresholds=("half",), calibration_bins=10
)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    runs, questions = 400, 200
    # one column a simulated experiment: all share the resamples, which each fits alone
    values = generator.binomial(4, 0.4, size=(questions, runs)) / 4
    _, low, high = mean_intervals(values, CONFIG, "coverage")
    covered = float(((low <= 0.4) & (high >= 0.4)).mean())
    assert 0.92 <= covered <= 0.98


def test_pairing_narrows_a_difference() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(1000)
    first = (generator.random(1000) < hard).astype(float)
    second = np.where(generator.random(1000) < 0.1, 1.0, first)
    columns = np.stack([first, second, second - first], axis=1)
    mean, low, high = mean_intervals(columns, CONFIG, "pairs")
    apart = (high[0] - low[0]) + (high[1] - low[1])
    assert mean[2] == pytest.approx(mean[1] - mean[0])
    assert high[2] - low[2] < 0.5 * apart
    assert low[2] > 0


def test_missing_values_are_left_out_not_zero() -> None:
    values = np.array([[1.0], [1.0], [np.nan], [np.nan]])
    mean, low, high = mean_intervals(values, CONFIG, "nan")
    assert (mean[0], low[0], high[0]) == (1.0, 1.0, 1.0)
    mean, low, _ = mean_intervals(np.full((3, 1), np.nan), CONFIG, "nan")
    assert np.isnan(mean[0]) and np.isnan(low[0])
    assert plain(mean[0]) is None


def test_same_key_same_interval_other_key_other_resamples() -> None:
    values = np.random.default_rng(0).random((50, 2))
    first = mean_intervals(values, CONFIG, "a")
    assert all(
        np.array_equal(x, y)
        for x, y in zip(first, mean_intervals(values, CONFIG, "a"), strict=True)
    )
    assert not np.array_equal(first[1], mean_intervals(values, CONFIG, "b")[1])
    # a further row changes no other row
    wider = mean_intervals(np.hstack([values, values[:, :1]]), CONFIG, "a")
    assert np.allclose(wider[1][:2], first[1], atol=1e-12)


def test_statistic_of_sums() -> None:
    counts = np.array([[1.0, 2.0], [1.0, 2.0]])
    ratio = {"ratio": lambda c: c[..., 0] / c[..., 1]}
    found = statistic_intervals(counts, ratio, CONFIG, "key")["ratio"]
    assert found == (0.5, 0.5, 0.5)
