"""Does a p(+) of 0.8 mean that 80 % of such steps are right?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import polars as pl

from vlprm.metrics.step_f1 import Judged
from vlprm.records import Metric

SCHEMA = {
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
    "mean_plus": pl.Float64,
    "share_right": pl.Float64,
    "share_low": pl.Float64,
    "share_high": pl.Float64,
}


def known_steps(judged: Sequence[Judged]) -> tuple[list[float], list[bool]]:
    """p(+) and truth of every step up to and including the first wrong one."""
    plus: list[float] = []
    right: list[bool] = []
    for item in judged:
        count = len(item.plus) if item.first_error is None else item.first_error + 1
        plus += item.plus[:count]
        right += [index != item.first_error for index in range(count)]
    return plus, right


def calibration_bins(judged: Sequence[Judged], bins: int, confidence: float) -> pl.DataFrame:
    """Equal-width bins of p(+) with the share of right steps and its Wilson interval.

    Columns ``low, high`` (edges), ``n``, ``mean_plus``, ``share_right``, ``share_low``,
    ``share_high``; empty bins have n 0 and nulls.
    """
    plus, right = map(np.asarray, known_steps(judged))
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip((plus * bins).astype(int), 0, bins - 1) if plus.size else np.array([], int)
    rows: list[dict[str, float | int | None]] = []
    for index in range(bins):
        here = place == index
        row: dict[str, float | int | None] = dict.fromkeys(SCHEMA)
        row |= {"low": float(edges[index]), "high": float(edges[index + 1]), "n": int(here.sum())}
        if here.any():
            hits = int(right[here].sum())
            low, high = wilson(hits, int(here.sum()), confidence)
            row |= {
                "mean_plus": round(float(plus[here].mean()), 10),
                "share_right": hits / int(here.sum()),
                "share_low": round(low, 10),
                "share_high": round(high, 10),
            }
        rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA)


def wilson(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson score interval of a share of n > 0 (steps taken as independent)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(centre - half, 0.0), min(centre + half, 1.0)


def calibration_error(bins: pl.DataFrame) -> float | None:
    """Expected calibration error: mean distance of share and p(+), weighed by steps."""
    full = bins.filter(pl.col("n") > 0)
    if full.is_empty():
        return None
    gap = (full["share_right"] - full["mean_plus"]).abs() * full["n"]
    return round(float(gap.sum()) / float(full["n"].sum()), 10)


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
    benchmark: str, policy: str, prm: str, judged: Sequence[Judged], *, n_unjudged: int, bins: int
) -> list[Metric]:
    """``calibration_error`` and ``auroc`` as metrics (point values)."""
    table = calibration_bins(judged, bins, 0.95)
    values = {"calibration_error": calibration_error(table), "auroc": auroc(judged)}
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
