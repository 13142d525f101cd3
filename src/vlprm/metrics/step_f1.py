"""How well a PRM tells right steps from wrong ones, against a judge's (or the true) verdicts.

A verdict names the first wrong step: steps before it are right, it is wrong, and of later ones
nothing is known, so they are left out. Step F1 is the macro mean over right and wrong steps
(VisualProcessBench's measure); first-error F1 is the harmonic mean of the share of wrong
solutions whose first error is found exactly and the share of right solutions without a false
alarm (ProcessBench's measure).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.bootstrap import statistic_intervals
from vlprm.metrics.columns import SCORES, VERDICTS, Columns, columns_of
from vlprm.metrics.halves import half_of
from vlprm.metrics.intervals import Array, plain, ratio_intervals
from vlprm.records import BY_VERDICTS, Metric, Record
from vlprm.solutions.rollouts import sample_of

HALF = 0.5
NO_ERROR = -1
Join = Callable[[Any, Any], Any]
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
    strategy: str = BY_VERDICTS,
) -> list[Metric]:
    """Step F1, first-error F1 and their parts at each threshold rule, with intervals.

    ``aggregation`` holds the name of the threshold rule, ``n_samples`` the judged solutions,
    ``n_ungraded`` those without a usable verdict. ``tuned`` is cross-fitted: questions fall into
    two seeded halves, and each half uses the threshold with the best step F1 of the other.
    """
    found: list[Metric] = []
    halves = {name: half_of(config.seed, name) for name in sample_ids}
    half = [halves[sample_of(item.rollout_id)] for item in judged]
    for rule in config.thresholds:
        cuts = _thresholds(rule, judged, half)
        counts = _counts(sample_ids, judged, np.array([cuts[own] for own in half]))
        for name, (value, low, high) in _intervals(counts, config, benchmark).items():
            found.append(
                Metric(
                    benchmark=benchmark,
                    policy=policy,
                    prm=prm,
                    strategy=strategy,
                    aggregation=rule,
                    n=1,
                    name=name,
                    value=plain(value),
                    low=plain(low),
                    high=plain(high),
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


def _thresholds(rule: str, judged: Sequence[Judged], half: Sequence[int]) -> Mapping[int, float]:
    """The threshold that applies to each half of the questions."""
    if rule == "half":
        return {0: HALF, 1: HALF}
    best: dict[int, float] = {}
    for own in (0, 1):
        rest = [item for item, its in zip(judged, half, strict=True) if its != own]
        other = _Solutions(rest)
        values = [float(_step_f1(other.counts(cut).sum(axis=0)[None, :])[0]) for cut in GRID]
        best[own] = HALF if np.isnan(values).all() else GRID[int(np.nanargmax(values))]
    return best


def _counts(sample_ids: Sequence[str], judged: Sequence[Judged], cut: Array) -> Array:
    """Counts per question, shape (questions, 8); ``cut``: the threshold of each solution."""
    place = {name: index for index, name in enumerate(sample_ids)}
    counts = np.zeros((len(sample_ids), 8))
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


def _intervals(
    counts: Array, config: MetricsConfig, key: str
) -> dict[str, tuple[float, float, float]]:
    """Value, low and high of all statistics; ``counts`` (questions, 8).

    Shares, and F1 as a function of one (2 J / (1 + J) of the Jaccard index J), have the interval
    of a share. The two that join a pair of them take the wider of the bootstrap's ends and
    those that follow from the pair's own, since the bootstrap has width 0 where nothing is
    wrong. The two F1 count the same errors, so their ends are joined; the two shares are of
    other solutions, so their distances add in squares (MOVER, Zou and Donner, Statistics in
    Medicine 27, 2008).
    """
    above = np.stack([counts[:, hit] for hit, _, _ in PARTS.values()], axis=1)
    below = np.stack([counts[:, list(all_)].sum(axis=1) for _, all_, _ in PARTS.values()], axis=1)
    value, low, high, _ = ratio_intervals(above, below, config.confidence)
    found = {
        name: (form(value[at]), form(low[at]), form(high[at]))
        for at, (name, (_, _, form)) in enumerate(PARTS.items())
    }
    joined = {name: _of_counts(join, pair) for name, (join, pair, _) in JOINED.items()}
    drawn = statistic_intervals(counts, joined, config, key)
    for name, (join, (one, other), together) in JOINED.items():
        middle, ends = drawn[name][0], []
        for end in (1, 2):
            both = join(found[one][end], found[other][end])
            moved = join(found[one][end], found[other][0]), join(found[one][0], found[other][end])
            apart = float(np.hypot(*(middle - item for item in moved)))
            ends.append(abs(middle - float(both)) if together else apart)
        found[name] = (
            middle,
            max(float(np.fmin(drawn[name][1], middle - ends[0])), 0.0),
            min(float(np.fmax(drawn[name][2], middle + ends[1])), 1.0),
        )
    return {name: found[name] for name in (*JOINED, *PARTS)}


def _of_counts(join: Join, pair: tuple[str, str]) -> Callable[[Array], Array]:
    """A joined statistic as a function of counts (..., 8)."""

    def part(name: str, c: Array) -> Array:
        hit, all_, form = PARTS[name]
        found: Array = form(_share(c[..., hit], c[..., list(all_)].sum(axis=-1)))
        return found

    return lambda c: join(part(pair[0], c), part(pair[1], c))


def _share(above: Array, below: Array) -> Array:
    share: Array = np.full(below.shape, np.nan)
    return np.divide(above, below, out=share, where=below > 0)


def _same(share: Any) -> Any:
    return share


def _dice(jaccard: Any) -> Any:
    return 2.0 * jaccard / (1.0 + jaccard)


def _mean(one: Any, other: Any) -> Any:
    return 0.5 * (one + other)


def _harmonic(one: Any, other: Any) -> Any:
    both = one + other
    return np.where(both == 0, 0.0, 2 * one * other / np.where(both == 0, 1.0, both))


# name: hits, what they are a share of, and what is made of the share
PARTS: dict[str, tuple[int, tuple[int, ...], Callable[[Any], Any]]] = {
    "step_f1_right": (RIGHT_KEPT, (RIGHT_KEPT, RIGHT_FLAGGED, WRONG_KEPT), _dice),
    "step_f1_wrong": (WRONG_FLAGGED, (WRONG_FLAGGED, RIGHT_FLAGGED, WRONG_KEPT), _dice),
    "first_error_found": (FOUND, (WRONG,), _same),
    "no_false_alarm": (QUIET, (CLEAN,), _same),
}
# name: how a pair is joined, the pair, whether both count the same errors
JOINED: dict[str, tuple[Join, tuple[str, str], bool]] = {
    "step_f1": (_mean, ("step_f1_right", "step_f1_wrong"), True),
    "first_error_f1": (_harmonic, ("first_error_found", "no_false_alarm"), False),
}
_step_f1 = _of_counts(*JOINED["step_f1"][:2])
