"""Does a p(+) of 0.8 mean that 80 % of such steps are right?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import polars as pl

from vlprm.metrics.step_f1 import Judged
from vlprm.records import Metric, Record


class CalibrationBin(Record):
    """Steps of one bin of p(+) and how many of them are right; nulls where there are none."""

    benchmark: str
    policy: str
    prm: str
    low: float
    high: float
    n: int
    mean_plus: float | None
    share_right: float | None
    share_low: float | None
    """Wilson interval of the share."""
    share_high: float | None


def known_steps(judged: Sequence[Judged]) -> tuple[list[float], list[bool]]:
    """p(+) and truth of every step up to and including the first wrong one."""
    plus: list[float] = []
    right: list[bool] = []
    for item in judged:
        count = len(item.plus) if item.first_error is None else item.first_error + 1
        plus += item.plus[:count]
        right += [index != item.first_error for index in range(count)]
    return plus, right


def calibration_bins(
    benchmark: str,
    policy: str,
    prm: str,
    judged: Sequence[Judged],
    *,
    bins: int,
    confidence: float,
) -> list[CalibrationBin]:
    """Equal-width bins of p(+) with the share of right steps and its Wilson interval."""
    plus, right = map(np.asarray, known_steps(judged))
    place = np.clip((plus * bins).astype(int), 0, bins - 1) if plus.size else np.array([], int)
    found = []
    for index in range(bins):
        here = place == index
        n = int(here.sum())
        hits = int(right[here].sum()) if n else 0
        low, high = wilson(hits, n, confidence) if n else (None, None)
        found.append(
            CalibrationBin(
                benchmark=benchmark,
                policy=policy,
                prm=prm,
                low=index / bins,
                high=(index + 1) / bins,
                n=n,
                mean_plus=round(float(plus[here].mean()), 10) if n else None,
                share_right=hits / n if n else None,
                share_low=low,
                share_high=high,
            )
        )
    return found


def wilson(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson score interval of a share of n > 0 (steps taken as independent)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return round(max(centre - half, 0.0), 10), round(min(centre + half, 1.0), 10)


def calibration_error(bins: Sequence[CalibrationBin]) -> float | None:
    """Expected calibration error: mean distance of share and p(+), weighed by steps."""
    gaps = [
        abs(item.share_right - item.mean_plus) * item.n
        for item in bins
        if item.share_right is not None and item.mean_plus is not None
    ]
    return round(math.fsum(gaps) / sum(item.n for item in bins), 10) if gaps else None


def auroc(judged: Sequence[Judged]) -> float | None:
    """Chance that a right step has a larger p(+) than a wrong one; ties count half."""
    plus, right = known_steps(judged)
    truth = np.asarray(right, dtype=bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    ranks = pl.Series(plus).rank("average").to_numpy()
    above = ranks[truth].sum() - positives * (positives + 1) / 2
    return round(float(above / (positives * negatives)), 10)


def calibration_metrics(
    bins: Sequence[CalibrationBin], judged: Sequence[Judged], *, n_unjudged: int
) -> list[Metric]:
    """``calibration_error`` and ``auroc`` of one policy and PRM as metrics (point values)."""
    values = {"calibration_error": calibration_error(bins), "auroc": auroc(judged)}
    benchmark, policy, prm = bins[0].benchmark, bins[0].policy, bins[0].prm
    return [
        Metric(
            benchmark=benchmark,
            policy=policy,
            prm=prm,
            strategy="verdicts",
            aggregation=None,
            n=1,
            name=name,
            value=value,
            low=None,
            high=None,
            delta=None,
            delta_low=None,
            delta_high=None,
            n_samples=len(judged),
            n_ungraded=n_unjudged,
        )
        for name, value in values.items()
    ]
