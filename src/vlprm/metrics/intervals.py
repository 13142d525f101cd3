"""Intervals of shares and of paired differences, over questions; closed forms that hold at 0 and 1.

A row's value is the mean over questions of a share: right or wrong once, or a mean over draws of
candidates. Questions are independent, draws of one question are not.

**Shares: Clopper and Pearson at the effective number of questions** (Korn and Graubard, Survey
Methodology 24, 1998; the interval of the NCHS presentation standards for proportions, 2017).
``n_eff = Q / d`` with the design effect ``d = variance / (value (1 - value) / Q)``: draws that
agree within a question give d = 1 and the exact binomial interval; draws that average out give
d < 1. Near 0 and 1 an estimate of d rests on a handful of errors and is too small (then coverage
falls to 65 %); so one error's worth of doubt is added to both its parts,
``d = (Q^2 variance + 1) / (Q value (1 - value) + 1)``, which is 1 where nothing varies and changes
nothing where many questions do. Not Wilson: at 0.999 and 128 questions it covers 88 %, at 512
questions 91 %, since one error already puts its upper end below 0.999 (Brown, Cai and DasGupta,
Statistical Science 16, 2001, show the dips). Not the percentile bootstrap: without an error it has
width 0 and covers 41 % at 0.999 and 512 questions.

**Differences: Bonett and Price** (British Journal of Mathematical and Statistical Psychology 65,
2012; recommended for paired proportions by Fagerland, Lydersen and Laake, Statistics in Medicine
33, 2014): one question more in each direction, then mean and variance. Where a row is a mean
over draws, the two added differences have the size of those that carry the variance instead of 1.

``bench/interval_coverage.py`` measures the coverage of both.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

Array = npt.NDArray[np.float64]
DIGITS = 10
"""Decimals kept: what lies below depends on the order of summation."""
DOUBT = 1.0
"""Errors added to both parts of a design effect."""


def share_intervals(
    value: Array, variance: Array, questions: Array, confidence: float
) -> tuple[Array, Array]:
    """Low and high of shares, each array of shape (columns,).

    ``variance`` is that of the value, ``questions`` how many independent ones it rests on.
    NaN where there is no value. With one question its variance is unknown: taken as if all of
    its draws agreed.
    """
    known = ~np.isnan(value) & (questions > 0)
    share = np.clip(np.where(known, value, 0.0), 0.0, 1.0)
    count = np.where(known, questions, 1.0)
    spread = share * (1.0 - share)
    own = np.where(np.isnan(variance), spread / count, variance)
    effect = (count * count * own + DOUBT) / (count * spread + DOUBT)
    trials = count / effect
    hits, misses = share * trials, (1.0 - share) * trials
    tail = (1.0 - confidence) / 2.0
    tiny = np.finfo(np.float64).tiny
    low = np.where(hits > 0, betaincinv(np.maximum(hits, tiny), misses + 1.0, tail), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1.0, np.maximum(misses, tiny), 1.0 - tail), 1.0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def mean_intervals(
    values: Array, confidence: float, more: Array | float = 0.0
) -> tuple[Array, Array, Array]:
    """Mean, low and high of shares: values in [0, 1] (questions, columns); NaN: no value.

    ``more``: added to the variance of each mean, for what is not in the questions.
    """
    count, mean, variance = _moments(values)
    return mean, *share_intervals(mean, np.maximum(variance + more, 0.0), count, confidence)


def ratio_intervals(
    above: Array, below: Array, confidence: float
) -> tuple[Array, Array, Array, Array]:
    """Value, low, high and number of questions of ``sum(above) / sum(below)``.

    Both (questions, columns), 0 <= above <= below: a share of things of which a question has
    several, such as steps. The variance is linearised over questions (Cochran, Sampling
    Techniques, 1977, 6.3), so things of one question may depend on each other as they like.
    """
    total = below.sum(axis=0)
    value = np.divide(above.sum(axis=0), total, out=np.full(total.shape, np.nan), where=total > 0)
    questions = (below > 0).sum(axis=0).astype(np.float64)
    left = above - np.nan_to_num(value) * below
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (left**2).sum(axis=0) / total**2 * questions / (questions - 1.0)
    return value, *share_intervals(value, variance, questions, confidence), questions


def difference_intervals(
    values: Array, confidence: float, more: Array | float = 0.0
) -> tuple[Array, Array, Array]:
    """Mean, low and high of paired differences in [-1, 1], shape (questions, columns).

    NaN: a question that one side has no value for; it counts on neither side. ``more``
    as in :func:`mean_intervals`.
    """
    count, mean, _ = _moments(values)
    filled = np.nan_to_num(values)
    square = (filled**2).sum(axis=0)
    size = ((np.abs(filled) ** 3).sum(axis=0) + 1.0) / (square + 1.0)
    total = count + 2.0
    centre = filled.sum(axis=0) / total
    variance = ((square + 2.0 * size**2) / total - centre**2) / total + more
    half = NormalDist().inv_cdf(0.5 + confidence / 2.0) * np.sqrt(np.maximum(variance, 0.0))
    known = count > 0
    # the centre is drawn to 0; the interval never leaves out what was measured
    low = np.where(known, np.clip(np.fmin(centre - half, mean), -1.0, 1.0), np.nan)
    high = np.where(known, np.clip(np.fmax(centre + half, mean), -1.0, 1.0), np.nan)
    return mean, low, high


def plain(value: float | np.floating) -> float | None:
    """A number for a record: rounded, and None for NaN."""
    return None if np.isnan(value) else round(float(value), DIGITS) + 0.0


def _moments(values: Array) -> tuple[Array, Array, Array]:
    """Questions with a value, mean, and variance of the mean, of each column."""
    known = ~np.isnan(values)
    count = known.sum(axis=0).astype(np.float64)
    filled = np.where(known, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filled.sum(axis=0) / np.where(count > 0, count, np.nan)
        left = np.where(known, filled - mean, 0.0)
        variance = (left**2).sum(axis=0) / (count - 1.0) / count
    return count, mean, np.where(count > 1, variance, np.nan)
