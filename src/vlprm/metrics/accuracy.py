"""Accuracy of every strategy, pass@1 and the oracle, paired over questions.

A question's accuracy is its mean over draws of n candidates. A pick without a grade is left out
of that mean; a question none of whose picks has a grade has no accuracy and counts in
``n_ungraded`` (``n_samples`` counts all questions). pass@1 is the mean over all graded
candidates of a question, so it does not depend on n; a delta takes the questions that have both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb

import numpy as np
import numpy.typing as npt
import polars as pl

from vlprm.config.evaluation import MetricsConfig
from vlprm.errors import UserError
from vlprm.metrics.columns import GRADES, SEARCHED, SELECTIONS, Columns, columns_of
from vlprm.metrics.intervals import Array, mean_intervals, plain
from vlprm.records import Metric

PASS_AT_1 = "pass@1"
ORACLE = "oracle"
GUIDED = "guided_search"
NAME = "accuracy"
OVER_MAJORITY = "accuracy_over_majority"
"""Accuracy minus that of majority vote over as many candidates, paired over questions; for
every strategy that asks a PRM."""
ROW = ("prm", "strategy", "aggregation", "n")
Row = tuple[str | None, str, str | None, int]


def accuracy_metrics(
    benchmark: str,
    policy: str,
    sample_ids: Sequence[str],
    candidates: Columns,
    selections: Columns,
    *,
    config: MetricsConfig,
    guided: Mapping[tuple[str, int], tuple[Columns, Columns]] | None = None,
    n: Sequence[int] = (),
) -> list[Metric]:
    """All accuracies of one policy on one benchmark: pass@1, oracle, then the strategies.

    Then each PRM strategy's difference to majority vote (:data:`OVER_MAJORITY`).

    ``candidates``: grades of the stored rollouts (id ``<sample>#<number>``); ``guided``:
    (PRM, candidates a step) to the searched rollouts and their grades; ``n``: sizes of the
    oracle besides those of the selections. Each table is given as records or as a frame of
    their columns. Raises UserError when a picked rollout has no grade record or a question has
    no candidate.
    """
    rows: dict[Row, Array] = {}
    grades = columns_of(candidates, GRADES)
    passed = _tally(sample_ids, grades)
    rows[None, PASS_AT_1, None, 1] = passed[:, 1] / np.where(passed[:, 0] > 0, passed[:, 0], np.nan)
    picked = _picked(sample_ids, grades, columns_of(selections, SELECTIONS))
    for size in sorted({*n, *(row[3] for row in picked)}):
        rows[None, ORACLE, None, size] = np.array([pass_at_k(m, c, size) for m, c in passed])
    rows |= picked
    for (prm, size), (rollouts, own) in (guided or {}).items():
        rows[prm, GUIDED, None, size] = _searched(
            sample_ids, columns_of(rollouts, SEARCHED), columns_of(own, GRADES)
        )
    return _metrics(benchmark, policy, rows, config)


def pass_at_k(graded: int, right: int, k: int) -> float:
    """Chance that k of a question's graded candidates hold a right one (unbiased, Chen 2021).

    With fewer than k graded candidates all of them are taken; NaN when none is graded.
    """
    if graded == 0:
        return float("nan")
    k = min(k, int(graded))
    return 1.0 - comb(int(graded - right), k) / comb(int(graded), k)


def _tally(sample_ids: Sequence[str], grades: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Graded and right candidates a question, shape (questions, 2)."""
    place = {name: index for index, name in enumerate(sample_ids)}
    tally = np.zeros((len(sample_ids), 2), dtype=np.int64)
    seen = np.zeros(len(sample_ids), dtype=bool)
    for name, correct in grades.iter_rows():
        index = place.get(sample_of(name))
        if index is None:
            raise UserError(
                "graded, but its question is not in the benchmark",
                where=name,
                cure="rerun prepare and grade together",
            )
        seen[index] = True
        if correct is not None:
            tally[index] += (1, int(correct))
    if not seen.all():
        missing = [name for name, here in zip(sample_ids, seen, strict=True) if not here]
        raise UserError(
            f"{len(missing)} questions without candidates",
            where=missing[0],
            cure="rerun the rollout and grade stages",
        )
    return tally


def sample_of(rollout_id: str) -> str:
    """``mathvista/testmini/17#003`` belongs to ``mathvista/testmini/17``."""
    return rollout_id.rpartition("#")[0]


def _picked(
    sample_ids: Sequence[str], grades: pl.DataFrame, frame: pl.DataFrame
) -> dict[Row, Array]:
    """Each row's accuracy a question, shape (questions,); NaN where no pick is graded."""
    if frame.is_empty():
        return {}
    known = grades.with_columns(known=True)
    prms = {prm: at for at, prm in enumerate(frame["prm"].unique(maintain_order=True))}
    frame = frame.join(known, on="rollout_id", how="left")
    lost = frame.filter(pl.col("known").is_null())
    if not lost.is_empty():
        raise UserError(
            "picked, but never graded",
            where=lost["rollout_id"][0],
            cure="rerun the grade stage on its shard",
        )
    means = frame.group_by(*ROW, "sample_id").agg(
        pl.col("correct").sum().alias("right"), pl.col("correct").count().alias("graded")
    )
    place = {name: index for index, name in enumerate(sample_ids)}
    found: dict[Row, Array] = {}
    for row, part in means.group_by(*ROW):
        values = np.full(len(sample_ids), np.nan)
        where = [place[name] for name in part["sample_id"]]
        graded = part["graded"].to_numpy().astype(np.float64)
        values[where] = part["right"].to_numpy() / np.where(graded > 0, graded, np.nan)
        prm, strategy, aggregation, size = row
        found[prm, strategy, aggregation, size] = values
    # PRMs keep the order of the selections; groups come in any order
    order = sorted(found, key=lambda row: (prms[row[0]], row[1], row[2] or "", row[3]))
    return {row: found[row] for row in order}


def _searched(sample_ids: Sequence[str], rollouts: pl.DataFrame, grades: pl.DataFrame) -> Array:
    correct = dict(grades.iter_rows())
    found = {sample: correct.get(name) for name, sample in rollouts.iter_rows()}
    missing = [name for name in sample_ids if name not in found]
    if missing:
        raise UserError(
            f"{len(missing)} questions were not searched",
            where=missing[0],
            cure="rerun the search stage",
        )
    right = [found[name] for name in sample_ids]
    return np.array([np.nan if value is None else float(value) for value in right])


def _metrics(
    benchmark: str, policy: str, rows: dict[Row, Array], config: MetricsConfig
) -> list[Metric]:
    values = np.stack(list(rows.values()), axis=1)
    names = list(rows)
    majority = [_majority_of(row, rows) for row in names]
    versus = values - np.stack(majority, axis=1)
    # differences stand beside the values, so that all come from the same resamples
    columns = np.hstack([values, values - values[:, [0]], versus])
    mean, low, high = mean_intervals(columns, config, benchmark)

    def metric(index: int, name: str, at: int, delta: int | None) -> Metric:
        prm, strategy, aggregation, n = names[index]
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
            n_samples=values.shape[0],
            n_ungraded=int(np.isnan(columns[:, at]).sum()),
        )

    count = len(names)
    found = [metric(i, NAME, i, count + i) for i in range(count)]
    found += [
        metric(i, OVER_MAJORITY, 2 * count + i, None)
        for i, (row, other) in enumerate(zip(names, majority, strict=True))
        if row[0] is not None and not np.isnan(other).all()
    ]
    return found


def _majority_of(row: Row, rows: dict[Row, Array]) -> Array:
    """Majority vote over as many candidates; NaN where it was not asked for."""
    missing = np.full_like(rows[row], np.nan)
    return rows.get((None, "majority", None, row[3]), missing)
