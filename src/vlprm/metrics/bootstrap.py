"""Percentile bootstrap over questions, for statistics that are no mean of questions.

One matrix of resampled question counts serves every statistic, so all see the same resamples
and each costs one matrix product a block. Means and shares have closed forms (``intervals``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.intervals import Array
from vlprm.seeds import seed_for

BLOCK = 500


def resampled_sums(values: Array, config: MetricsConfig, key: str) -> Array:
    """Sums over resampled questions: values (questions, columns) to (resamples, columns).

    ``key`` names the set of questions; the same key and number of questions give the same
    resamples.
    """
    questions = values.shape[0]
    generator = np.random.default_rng(seed_for(config.seed, "bootstrap", key))
    uniform = np.full(questions, 1.0 / questions)
    sums = np.empty((config.resamples, values.shape[1]))
    for start in range(0, config.resamples, BLOCK):
        stop = min(start + BLOCK, config.resamples)
        counts = generator.multinomial(questions, uniform, size=stop - start)
        sums[start:stop] = counts.astype(np.float64) @ values
    return sums


def percentiles(resampled: Array, confidence: float) -> tuple[float, float]:
    """Lower and upper percentile; resamples without a value (NaN) are left out."""
    kept = resampled[~np.isnan(resampled)]
    if not kept.size:
        return float("nan"), float("nan")
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(kept, [tail, 1.0 - tail])
    return float(low), float(high)


def statistic_intervals(
    counts: Array,
    statistics: Mapping[str, Callable[[Array], Array]],
    config: MetricsConfig,
    key: str,
) -> dict[str, tuple[float, float, float]]:
    """Value, low and high of statistics of summed counts (questions, columns), such as F1.

    Each maps (..., columns) to (...); all see the same resamples. NaN: no value.
    """
    total, sums = counts.sum(axis=0)[None, :], resampled_sums(counts, config, key)
    return {
        name: (float(statistic(total)[0]), *percentiles(statistic(sums), config.confidence))
        for name, statistic in statistics.items()
    }
