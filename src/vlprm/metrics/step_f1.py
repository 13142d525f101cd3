"""How well a PRM tells right steps from wrong ones, against a judge's (or the true) verdicts.

A verdict names the first wrong step: steps before it are right, it is wrong, and of later ones
nothing is known, so they are left out. Step F1 is the macro mean over right and wrong steps
(VisualProcessBench's measure); first-error F1 is the harmonic mean of the share of wrong
solutions whose first error is found exactly and the share of right solutions without a false
alarm (ProcessBench's measure).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.accuracy import sample_of
from vlprm.metrics.columns import SCORES, VERDICTS, Columns, columns_of
from vlprm.metrics.intervals import Array, statistic_intervals
from vlprm.records import Metric, Record

STRATEGY = "verdicts"
HALF = 0.5
NO_ERROR = -1
GRID = tuple(i / 50 for i in range(1, 50))
# columns of the counts: steps truth/predicted, then solutions
RIGHT_KEPT, RIGHT_FLAGGED, WRONG_KEPT, WRONG_FLAGGED, WRONG, FOUND, CLEAN, QUIET = range(8)


@dataclass(frozen=True, slots=True)
class Judged:
    """One solution with a usable verdict: p(+) of each step, index of the first wrong one."""

    rollout_id: str
    plus: tuple[float, ...]
    first_error: int | None


def judged_steps(scores: Columns, verdicts: Columns) -> list[Judged]:
    """Join step scores and verdicts; solutions without a usable verdict or scores are left out.

    Whole-solution scores (``step_index`` -1) are ignored. Verdict order.
    """
    known = columns_of(scores, SCORES)
    margin = known["logit_plus"].to_numpy() - known["logit_minus"].to_numpy()
    right = np.exp(-np.logaddexp(0.0, -margin)).tolist()
    plus: dict[str, dict[int, float]] = {}
    for name, index, value in zip(known["rollout_id"], known["step_index"], right, strict=True):
        if index >= 0:
            plus.setdefault(name, {})[index] = value
    found = []
    for name, status, error in columns_of(verdicts, VERDICTS).iter_rows():
        steps = plus.get(name, {})
        if status != "ok" or not steps or (error is not None and error >= len(steps)):
            continue
        found.append(Judged(name, tuple(steps[index] for index in sorted(steps)), error))
    return found


def first_error(plus: Sequence[float], threshold: float) -> int | None:
    """Index of the first step with p(+) below the threshold."""
    return next((index for index, value in enumerate(plus) if value < threshold), None)


def step_metrics(
    benchmark: str,
    policy: str,
    prm: str,
    sample_ids: Sequence[str],
    judged: Sequence[Judged],
    *,
    n_unjudged: int,
    config: MetricsConfig,
) -> list[Metric]:
    """Step F1, first-error F1 and their parts at each threshold rule, with intervals.

    ``aggregation`` holds the name of the threshold rule, ``n_samples`` the judged solutions,
    ``n_ungraded`` those without a usable verdict. ``tuned`` is cross-fitted: questions fall into
    two halves by name, and each half uses the threshold with the best step F1 of the other.
    """
    found: list[Metric] = []
    for rule in config.thresholds:
        cuts = _thresholds(rule, judged)
        counts = _counts(sample_ids, judged, cuts)
        intervals = statistic_intervals(counts, STATISTICS, config, benchmark)
        for name, (value, low, high) in intervals.items():
            found.append(
                Metric(
                    benchmark=benchmark,
                    policy=policy,
                    prm=prm,
                    strategy=STRATEGY,
                    aggregation=rule,
                    n=1,
                    name=name,
                    value=value,
                    low=low,
                    high=high,
                    delta=None,
                    delta_low=None,
                    delta_high=None,
                    n_samples=len(judged),
                    n_ungraded=n_unjudged,
                )
            )
    return found


class ConfusionCell(Record):
    """Solutions by true first error and the first step the PRM flags; -1: no wrong step."""

    benchmark: str
    policy: str
    prm: str
    truth: int
    said: int
    count: int


def confusion(
    benchmark: str, policy: str, prm: str, judged: Sequence[Judged], threshold: float = HALF
) -> list[ConfusionCell]:
    """First-error confusion at one threshold; only cells that occur."""
    table = Counter((item.first_error, first_error(item.plus, threshold)) for item in judged)
    cells = [
        ConfusionCell(
            benchmark=benchmark,
            policy=policy,
            prm=prm,
            truth=NO_ERROR if truth is None else truth,
            said=NO_ERROR if said is None else said,
            count=count,
        )
        for (truth, said), count in table.items()
    ]
    return sorted(cells, key=lambda cell: (cell.truth, cell.said))


def _half(rollout_id: str) -> int:
    # crc32 is the same everywhere, unlike hash()
    return zlib.crc32(sample_of(rollout_id).encode()) % 2


def _thresholds(rule: str, judged: Sequence[Judged]) -> Mapping[int, float]:
    """The threshold that applies to each half of the questions."""
    if rule == "half":
        return {0: HALF, 1: HALF}
    best: dict[int, float] = {}
    for half in (0, 1):
        other = _Solutions([item for item in judged if _half(item.rollout_id) != half])
        values = [float(_step_f1(other.counts(cut).sum(axis=0)[None, :])[0]) for cut in GRID]
        best[half] = HALF if np.isnan(values).all() else GRID[int(np.nanargmax(values))]
    return best


def _counts(
    sample_ids: Sequence[str], judged: Sequence[Judged], cuts: Mapping[int, float]
) -> Array:
    """Counts a question, shape (questions, 8)."""
    place = {name: index for index, name in enumerate(sample_ids)}
    counts = np.zeros((len(sample_ids), 8))
    cut = np.array([cuts[_half(item.rollout_id)] for item in judged])
    where = [place[sample_of(item.rollout_id)] for item in judged]
    np.add.at(counts, np.array(where, dtype=np.int64), _Solutions(judged).counts(cut))
    return counts


class _Solutions:
    """p(+) of judged solutions in one row: of the steps that are right, and of the wrong one."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        right = [item.plus[: item.first_error] for item in judged]
        self._steps = np.array([len(part) for part in right], dtype=np.int64)
        self._right = np.array([value for part in right for value in part])
        errors = [item.first_error for item in judged]
        self._wrong = np.array([error is not None for error in errors], dtype=bool)
        self._at_error = np.array(
            [
                np.nan if error is None else item.plus[error]
                for item, error in zip(judged, errors, strict=True)
            ]
        )

    def counts(self, cut: float | Array) -> Array:
        """Counts a solution at a threshold (or at its own), shape (solutions, 8)."""
        n = len(self._steps)
        cut = np.broadcast_to(cut, n)
        owner = np.repeat(np.arange(n), self._steps)
        flagged = np.bincount(owner, self._right < cut[owner], minlength=n)
        caught = self._at_error < cut  # a comparison with NaN is false
        counts = np.zeros((n, 8))
        counts[:, RIGHT_FLAGGED], counts[:, RIGHT_KEPT] = flagged, self._steps - flagged
        counts[:, WRONG_FLAGGED], counts[:, WRONG_KEPT] = caught, self._wrong & ~caught
        counts[:, WRONG], counts[:, FOUND] = self._wrong, caught & (flagged == 0)
        counts[:, CLEAN], counts[:, QUIET] = ~self._wrong, ~self._wrong & (flagged == 0)
        return counts


def _share(above: Array, below: Array) -> Array:
    share: Array = np.full(below.shape, np.nan)
    return np.divide(above, below, out=share, where=below > 0)


def _f1_wrong(c: Array) -> Array:
    hit = 2 * c[..., WRONG_FLAGGED]
    return _share(hit, hit + c[..., RIGHT_FLAGGED] + c[..., WRONG_KEPT])


def _f1_right(c: Array) -> Array:
    hit = 2 * c[..., RIGHT_KEPT]
    return _share(hit, hit + c[..., RIGHT_FLAGGED] + c[..., WRONG_KEPT])


def _step_f1(c: Array) -> Array:
    return 0.5 * (_f1_right(c) + _f1_wrong(c))


def _found(c: Array) -> Array:
    return _share(c[..., FOUND], c[..., WRONG])


def _quiet(c: Array) -> Array:
    return _share(c[..., QUIET], c[..., CLEAN])


def _first_error_f1(c: Array) -> Array:
    found, quiet = _found(c), _quiet(c)
    both = found + quiet
    harmonic = _share(2 * found * quiet, both)
    harmonic[both == 0] = 0.0
    return harmonic


STATISTICS = {
    "step_f1": _step_f1,
    "step_f1_right": _f1_right,
    "step_f1_wrong": _f1_wrong,
    "first_error_f1": _first_error_f1,
    "first_error_found": _found,
    "no_false_alarm": _quiet,
}
