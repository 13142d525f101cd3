"""Accuracy of every strategy, pass@1 and the oracle, paired over questions.

A question's accuracy is its mean over draws of n candidates. A cut solution counts as
``metrics.unfinished`` says: wrong, as upstream's scorers count it (a prediction that is missing
stays in the denominator), or left out; either way ``unfinished`` is its share of a row's picks.
A pick without a grade (its generation failed, or the comparison could not be made) is left out
of the mean; a question none of whose picks has a grade has no accuracy and counts in
``n_ungraded`` (``n_samples`` counts all questions). pass@1 is the mean over all graded
candidates of a question, so it does not depend on n; a delta takes the questions that have both,
on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import comb

import numpy as np
import numpy.typing as npt
import polars as pl

from vlprm.answers.equal import CUT
from vlprm.config.evaluation import MetricsConfig
from vlprm.joins import match, once
from vlprm.metrics.chosen import chosen_name, chosen_rows
from vlprm.metrics.columns import GRADES, SEARCHED, SELECTIONS, Columns, columns_of
from vlprm.metrics.decoding import ROW, Draws, Noise, noise_metrics, of_candidates, of_draws
from vlprm.metrics.intervals import Array, difference_intervals, mean_intervals, plain
from vlprm.metrics.replicates import pooled_rows
from vlprm.metrics.rows import Row, Values
from vlprm.records import ACCURACY, OVER_MAJORITY, Metric
from vlprm.solutions.rollouts import sample_of

PASS_AT_1 = "pass@1"
ORACLE = "oracle"
VOTERS = 3
"""Two votes agree or tie, and a tie goes to the first: majority of two is pass@1 but for candidates
without an answer, which have no vote."""


def accuracy_metrics(
    benchmark: str,
    policy: str,
    sample_ids: Sequence[str],
    candidates: Columns,
    selections: Columns,
    *,
    config: MetricsConfig,
    searched: Mapping[tuple[str, str, int], tuple[Columns, Columns]] | None = None,
    n: Sequence[int] = (),
    draws: Draws | None = None,
    replicates: Mapping[str, Sequence[str]] | None = None,
) -> list[Metric]:
    """All accuracies of one policy on one benchmark: pass@1, oracle, then the strategies.

    Then, at each n, the best row that asks a PRM (``metrics.chosen``), and each PRM strategy's
    difference to majority vote (``OVER_MAJORITY``): accuracy minus that of majority vote over as
    many candidates, paired over questions, from :data:`VOTERS` candidates on.

    ``candidates``: grades of the stored rollouts (id ``<sample>/<policy>#<number>``); ``searched``:
    (PRM, search, n of its rows) to a search's rollouts and their grades; ``n``: sizes of the
    oracle besides those of the selections; ``draws``: how the selections drew, for the noise of
    decoding (``metrics.decoding``), which is left out without it; ``replicates``: name of a group
    to PRMs that differ in their seed alone, pooled into rows of that PRM. Each table is given as
    records or as a frame of their columns. Raises UserError when an id is missing, doubled or
    foreign.
    """
    rows: dict[Row, Values] = {}
    where = f"{policy} on {benchmark}"
    grades = settled(candidates, config)
    passed, cut = _tally(sample_ids, grades, where), _mean(grades["cut"])
    passing = passed[:, 1] / np.where(passed[:, 0] > 0, passed[:, 0], np.nan)
    rows[None, PASS_AT_1, None, 1] = Values(passing, cut)
    picks = _graded(grades, columns_of(selections, SELECTIONS), where)
    picked = _picked(sample_ids, picks)
    for size in sorted({*n, *(row[3] for row in picked)}):
        best = np.array([pass_at_k(m, c, size) for m, c in passed])
        rows[None, ORACLE, None, size] = Values(best, cut)
    rows |= picked
    for (prm, search, size), (rollouts, own) in (searched or {}).items():
        rows[prm, search, None, size] = _searched(
            sample_ids,
            columns_of(rollouts, SEARCHED),
            settled(own, config),
            f"{search} of {policy} by {prm} on {benchmark}",
        )
    chosen, reporting = chosen_rows(sample_ids, rows, config)
    for row in chosen.values():
        rows[chosen_name(row)] = replace(rows[row], reported=reporting)
    rows |= pooled_rows(rows, replicates or {}, config.confidence)
    noises: dict[Row, Noise] = {(None, PASS_AT_1, None, 1): of_candidates(passed)}
    noises |= of_draws(picks, picked, draws) if draws else {}
    found = _metrics(benchmark, policy, rows, config)
    return found + noise_metrics(benchmark, policy, noises, len(sample_ids))


def settled(grades: Columns, config: MetricsConfig) -> pl.DataFrame:
    """Columns ``rollout_id, correct, cut``: what a solution counts as, and whether it was cut."""
    frame = columns_of(grades, GRADES)
    # a grader that looks at no end of text (``published``) has graded a cut one itself
    cut = (pl.col("reason") == CUT).fill_null(value=False) & pl.col("correct").is_null()
    right = pl.col("correct")
    if config.unfinished == "wrong":
        right = pl.when(cut).then(pl.lit(value=False)).otherwise(right)
    return frame.select("rollout_id", right.alias("correct"), cut.alias("cut"))


def pass_at_k(graded: int, right: int, k: int) -> float:
    """Chance that k of a question's graded candidates hold a right one (unbiased, Chen 2021).

    With fewer than k graded candidates all of them are taken; NaN when none is graded.
    """
    if graded == 0:
        return float("nan")
    k = min(k, int(graded))
    return 1.0 - comb(int(graded - right), k) / comb(int(graded), k)


def _tally(sample_ids: Sequence[str], grades: pl.DataFrame, where: str) -> npt.NDArray[np.int64]:
    """Graded and right candidates per question, shape (questions, 2)."""
    owners = pl.Series("sample_id", map(sample_of, grades["rollout_id"]), dtype=pl.String)
    keys = grades.select(owners, "rollout_id")
    match(keys, pl.Series("id", sample_ids, dtype=pl.String), "graded candidates", where)
    place = {name: index for index, name in enumerate(sample_ids)}
    tally = np.zeros((len(sample_ids), 2), dtype=np.int64)
    for name, correct in zip(owners, grades["correct"], strict=True):
        if correct is not None:
            tally[place[name]] += (1, int(correct))
    return tally


def _graded(grades: pl.DataFrame, picks: pl.DataFrame, where: str) -> pl.DataFrame:
    """The picks with ``correct`` and ``cut`` of their rollouts."""
    picked = picks.select("rollout_id").unique(maintain_order=True)
    match(picked, grades["rollout_id"], "picks", where, each=False)
    return picks.join(grades, on="rollout_id", how="left", maintain_order="left")


def _picked(sample_ids: Sequence[str], frame: pl.DataFrame) -> dict[Row, Values]:
    """Each row's accuracy per question; NaN where no pick is graded."""
    prms = {prm: at for at, prm in enumerate(frame["prm"].unique(maintain_order=True))}
    means = frame.group_by(*ROW, "sample_id").agg(
        pl.col("correct").sum().alias("right"),
        pl.col("correct").count().alias("graded"),
        pl.col("cut").sum(),
        pl.len().alias("picks"),
    )
    place = {name: index for index, name in enumerate(sample_ids)}
    found: dict[Row, Values] = {}
    for row, part in means.group_by(*ROW):
        values = np.full(len(sample_ids), np.nan)
        where = [place[name] for name in part["sample_id"]]
        graded = part["graded"].to_numpy().astype(np.float64)
        values[where] = part["right"].to_numpy() / np.where(graded > 0, graded, np.nan)
        prm, strategy, aggregation, size = row
        cut = float(part["cut"].to_numpy().sum() / part["picks"].to_numpy().sum())
        found[prm, strategy, aggregation, size] = Values(values, cut)
    # PRMs keep the order of the selections; groups come in any order
    order = sorted(found, key=lambda row: (prms[row[0]], row[1], row[2] or "", row[3]))
    return {row: found[row] for row in order}


def _searched(
    sample_ids: Sequence[str], rollouts: pl.DataFrame, grades: pl.DataFrame, where: str
) -> Values:
    """Accuracy of the one rollout per question that a search ends with."""
    once(rollouts["sample_id"], "searched questions", where)
    questions = pl.Series("id", sample_ids, dtype=pl.String)
    match(rollouts.select("sample_id"), questions, "searched rollouts", where)
    match(grades.select("rollout_id"), rollouts["id"], "grades", where)
    correct = dict(grades.select("rollout_id", "correct").iter_rows())
    found = {sample: correct[name] for name, sample in rollouts.iter_rows()}
    right = [found[name] for name in sample_ids]
    values = np.array([np.nan if value is None else float(value) for value in right])
    return Values(values, _mean(grades["cut"]))


def _mean(flags: pl.Series) -> float:
    return float(flags.sum()) / len(flags) if len(flags) else float("nan")


def _metrics(
    benchmark: str, policy: str, rows: dict[Row, Values], config: MetricsConfig
) -> list[Metric]:
    values = np.stack([row.on for row in rows.values()], axis=1)
    names = list(rows)
    majority = [_majority_of(row, rows) for row in names]
    versus = values - np.stack(majority, axis=1)
    more = np.array([row.of_trainings for row in rows.values()])
    shares = mean_intervals(values, config.confidence, more)
    differences = np.hstack([values - values[:, [0]], versus])
    gains = difference_intervals(differences, config.confidence, np.hstack([more, more]))
    for ends in gains[1:]:
        ends[0] = 0.0  # pass@1 differs from itself by nothing, for certain
    mean, low, high = (np.hstack(pair) for pair in zip(shares, gains, strict=True))

    def metric(index: int, name: str, at: int, delta: int | None) -> Metric:
        prm, strategy, aggregation, n = names[index]
        own = rows[names[index]]
        return Metric(
            benchmark=benchmark,
            policy=policy,
            prm=prm,
            strategy=strategy,
            aggregation=aggregation,
            n=n,
            name=name,
            value=plain(mean[at]),
            low=plain(low[at]),
            high=plain(high[at]),
            delta=None if delta is None else plain(mean[delta]),
            delta_low=None if delta is None else plain(low[delta]),
            delta_high=None if delta is None else plain(high[delta]),
            n_samples=own.samples,
            n_ungraded=own.missing,
            unfinished=plain(own.unfinished),
        )

    count = len(names)
    found = [metric(i, ACCURACY, i, count + i) for i in range(count)]
    found += [
        metric(i, OVER_MAJORITY, 2 * count + i, None)
        for i, (row, other) in enumerate(zip(names, majority, strict=True))
        if row[0] is not None and not np.isnan(other).all()
    ]
    return found


def _majority_of(row: Row, rows: dict[Row, Values]) -> Array:
    """Majority vote over as many candidates; NaN where there is none to compare with."""
    found = rows.get((None, "majority", None, row[3])) if row[3] >= VOTERS else None
    return np.full_like(rows[row].of_question, np.nan) if found is None else found.of_question
