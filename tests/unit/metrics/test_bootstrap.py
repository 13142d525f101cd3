"""Bootstrap over questions: repeatable, paired, of statistics of sums."""

from __future__ import annotations

import numpy as np

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.bootstrap import percentiles, resampled_sums, statistic_intervals

CONFIG = MetricsConfig(
    resamples=1000, confidence=0.95, seed=1, thresholds=("half",), calibration_bins=10
)


def test_same_key_same_resamples_other_key_others() -> None:
    values = np.random.default_rng(0).random((50, 2))
    first = resampled_sums(values, CONFIG, "a")
    assert np.array_equal(first, resampled_sums(values, CONFIG, "a"))
    assert not np.array_equal(first, resampled_sums(values, CONFIG, "b"))
    # a further column changes no other column
    wider = resampled_sums(np.hstack([values, values[:, :1]]), CONFIG, "a")
    assert np.allclose(wider[:, :2], first, atol=1e-12)


def test_statistic_of_sums() -> None:
    counts = np.array([[1.0, 2.0], [1.0, 2.0]])
    ratio = {"ratio": lambda c: c[..., 0] / c[..., 1]}
    found = statistic_intervals(counts, ratio, CONFIG, "key")["ratio"]
    assert found == (0.5, 0.5, 0.5)


def test_resamples_without_a_value_are_left_out() -> None:
    assert percentiles(np.array([np.nan, 0.5, np.nan, 0.5]), 0.95) == (0.5, 0.5)
    assert np.isnan(percentiles(np.array([np.nan]), 0.95)).all()
