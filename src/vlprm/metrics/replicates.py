"""Trainings that differ in their seed alone, pooled: their interval holds both kinds of luck.

Questions and trainings are crossed: every training answers every question. The variance of the
mean over both has a part of the questions and a part of the trainings (Owen, Annals of Applied
Statistics 1, 2007, calls it the pigeonhole's). The part of the questions, less what question and
training do together, is estimated from hundreds of questions and takes the normal quantile; the
part of the trainings holds that too, rests on a handful and takes Student's with one degree less
than trainings. Their squares are added (Graybill and Wang, JASA 75, 1980), so no degrees of
freedom have to be estimated, which fails with three trainings. Candidate sets enter before: a
question's accuracy is its mean over draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit

from vlprm.metrics.intervals import Array
from vlprm.metrics.rows import Row, Values


def pooled_rows(
    rows: Mapping[Row, Values], replicates: Mapping[str, Sequence[str]], confidence: float
) -> dict[Row, Values]:
    """A row of each group (name to its PRMs) for every row that all of its PRMs have."""
    found: dict[Row, Values] = {}
    for name, prms in replicates.items():
        for prm, *what in rows:
            of_each = [rows.get((one, *what)) for one in prms]  # type: ignore[arg-type]
            if prm == prms[0] and None not in of_each:
                found[name, *what] = _pooled([one for one in of_each if one], confidence)  # type: ignore[index]
    return found


def of_trainings(values: Array, confidence: float) -> Array:
    """What trainings add to the variance of a mean over questions, in units of its quantile.

    ``values``: (questions, trainings, ...); NaN: no value, in every training. Added to the
    variance of the means over trainings, it gives the interval by the normal quantile.
    """
    trainings = values.shape[1]
    known = np.asarray(~np.isnan(values).any(axis=1))
    filled = np.where(known[:, None], values, 0.0)
    questions = np.maximum(known.sum(axis=0), 2).astype(np.float64)
    of_training = filled.sum(axis=0) / questions
    of_question = filled.mean(axis=1)
    mean = of_training.mean(axis=0)
    left = filled - of_question[:, None] - of_training[None] + mean
    left = np.where(known[:, None], left, 0.0)
    both = (left**2).sum(axis=(0, 1)) / ((questions - 1) * (trainings - 1) * questions * trainings)
    across = np.where(known, of_question - mean, 0.0)
    asked = (across**2).sum(axis=0) / (questions - 1) / questions
    tail = 0.5 + confidence / 2.0
    wider = (stdtrit(trainings - 1, tail) / NormalDist().inv_cdf(tail)) ** 2
    added: Array = wider * of_training.var(axis=0, ddof=1) / trainings - np.minimum(both, asked)
    return added


def _pooled(of_each: Sequence[Values], confidence: float) -> Values:
    values = np.stack([one.of_question for one in of_each], axis=1)
    return Values(
        of_question=values.mean(axis=1),  # a question counts where every training has a value
        unfinished=float(np.mean([one.unfinished for one in of_each])),
        of_trainings=float(of_trainings(values, confidence)),
    )
