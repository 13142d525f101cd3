"""Decoding noise: how far a row moves when the same questions are answered again.

Another run over the same benchmark has the same questions, so what tells two runs apart is not
which questions were drawn but which answers were. For a question with the chance q of a right
answer, one answer has the variance ``q (1 - q)``; the variance of an accuracy of one answer per
question is the mean of that over questions, divided by their number. It is estimated without
bias: for pass@1 from the candidates of a question, for a strategy from draws that share no
candidate (half the squared difference of two). Where a draw takes all candidates there is no
second one: then the noise has the same share of ``a (1 - a)``, a the row's accuracy, as at the
largest n that has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from vlprm.metrics.rows import Row, Values, without_interval
from vlprm.records import NOISE_ONE, NOISE_OWN, Metric

ROW = ["prm", "strategy", "aggregation", "n"]


@dataclass(frozen=True, slots=True)
class Draws:
    """How the strategies drew from the stored candidates."""

    candidates: int
    disjoint: Mapping[int, Sequence[tuple[int, int]]]
    """n to pairs of draws that share no candidate."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations by decoding alone, as shares; the questions stay the same."""

    one: float
    """Of an accuracy with one answer per question, as a published run has it."""
    own: float
    """Of the row's value: a mean over draws or candidates."""


def of_candidates(tally: npt.NDArray[np.int64]) -> Noise:
    """Noise of pass@1; ``tally``: graded and right candidates of each question, (questions, 2).

    Questions with fewer than two graded candidates tell nothing. NaN where none has two.
    """
    graded, right = tally[tally[:, 0] > 1].T.astype(np.float64)
    if not graded.size:
        return Noise(float("nan"), float("nan"))
    spread = right * (graded - right) / (graded * (graded - 1.0))
    return Noise(
        float(np.sqrt(spread.mean() / graded.size)),
        float(np.sqrt((spread / graded).mean() / graded.size)),
    )


def of_draws(picks: pl.DataFrame, rows: Mapping[Row, Values], draws: Draws) -> dict[Row, Noise]:
    """Noise of each row that has drawn from stored candidates.

    ``picks``: columns ``prm, strategy, aggregation, n, sample_id, draw, correct``. Rows of which
    no n has two draws without a common candidate are left out.
    """
    spread = _spread(picks, draws)
    found: dict[Row, Noise] = {}
    for row, values in rows.items():
        *name, n = row
        known = [size for size in draws.disjoint if (*name, size) in spread]
        if not known:
            continue
        near = n if n in known else max(known)
        variance, mean = spread[(*name, near)]
        accuracy = float(np.nanmean(values.of_question))
        if near != n and 0 < mean < 1:
            variance *= accuracy * (1 - accuracy) / (mean * (1 - mean))
        questions = int((~np.isnan(values.of_question)).sum())
        one = float(np.sqrt(variance / questions))
        # draws that overlap are no worse than those that do not
        apart = max(draws.candidates // n, 1) if n in known else 1
        found[row] = Noise(one, one / float(np.sqrt(apart)))
    return found


def noise_metrics(
    benchmark: str, policy: str, noises: Mapping[Row, Noise], questions: int
) -> list[Metric]:
    """Two metrics of each row that has a noise, ``NOISE_ONE`` and ``NOISE_OWN``, shares of one."""
    return [
        without_interval(benchmark, policy, row, name, value, questions)
        for row, noise in noises.items()
        for name, value in ((NOISE_ONE, noise.one), (NOISE_OWN, noise.own))
    ]


def _spread(picks: pl.DataFrame, draws: Draws) -> dict[tuple[object, ...], tuple[float, float]]:
    """Row to the mean of q (1 - q) over questions, and the row's accuracy."""
    table = [(n, one, other) for n, some in draws.disjoint.items() for one, other in some]
    if not table or picks.is_empty():
        return {}
    schema = {"n": pl.Int64, "draw": pl.Int64, "other": pl.Int64}
    joined = picks.join(pl.DataFrame(table, schema=schema, orient="row"), on=["n", "draw"]).join(
        picks,
        left_on=[*ROW, "sample_id", "other"],
        right_on=[*ROW, "sample_id", "draw"],
        nulls_equal=True,
        suffix="_other",
    )
    right, again = (pl.col(name).cast(pl.Float64) for name in ("correct", "correct_other"))
    each = joined.group_by(*ROW, "sample_id").agg(
        ((right - again) ** 2).mean().alias("square"), ((right + again) / 2).mean().alias("mean")
    )
    # sorted, since the order of a group is not the same in every run, and sums depend on it
    ordered = each.sort(*ROW, "sample_id").group_by(*ROW, maintain_order=True)
    whole = ordered.agg(pl.col("square").mean(), pl.col("mean").mean())
    return {
        (row["prm"], row["strategy"], row["aggregation"], row["n"]): (
            row["square"] / 2,
            row["mean"],
        )
        for row in whole.iter_rows(named=True)
        if row["square"] is not None
    }
