"""Leaving a step before all of its continuations are drawn, at a stated rate of errors.

The label depends on the side of the threshold on which the step would lie with all ``k``
continuations. Their seeds are independent, so whatever the ``k`` outcomes are, every order in which
they come is equally likely, and what the first ``n`` of them hold is hypergeometric. A state (so
many right, wrong and failed after so many draws) may be left with the verdict "above" or "not
above" where that is seldom wrong.

**What is guaranteed.** For every outcome of the full draws (``r`` right, ``w`` wrong, ``f`` failed
of ``k``), the probability over the order of the draws that the step is left with another side than
these ``k`` draws give is at most ``error``. Nothing is assumed of the step's true value, nothing is
approximated: the chances are counts of orders, in whole numbers. The bound is of one step; of a
label that reads m steps it is at most m times that, and most outcomes lie far from the threshold,
where the chance is far smaller.

It is no test of Wald's: those bound the error against the true value, for draws without an end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import accumulate
from math import factorial

from vlprm.label_rules.rule import EstimateRule

Counts = tuple[int, int, int]
"""Continuations that ended right, wrong, and failed."""


def rounds(k: int) -> tuple[int, ...]:
    """Sizes of the rounds of at most ``k`` draws: 1, 1, 2, 4, 8, ..., the last one cut.

    Each doubles what was drawn: at most twice the draws that one at a time would take, in
    log2(k) + 1 rounds. Most right steps end after the first.
    """
    sizes: list[int] = []
    while sum(sizes) < k:
        sizes.append(min(max(1, sum(sizes)), k - sum(sizes)))
    return tuple(sizes)


def ends(k: int) -> tuple[int, ...]:
    """Draws after each round."""
    return tuple(accumulate(rounds(k)))


@dataclass(frozen=True)
class Boundaries:
    """The states in which a step is left, at the ends of rounds before the last."""

    k: int
    sides: Mapping[Counts, bool]
    """State -> is the step above the threshold?"""
    errors: Mapping[Counts, Fraction]
    """All ``k`` outcomes -> the chance of another side than theirs; at most ``error``."""

    def next_end(self, counts: Counts) -> int:
        """Draws after which the step may be left, from a state in which it is not."""
        drawn = sum(counts)
        open_ends = [end for end in ends(self.k) if end > drawn]
        for end in open_ends[:-1]:
            if any(sum(state) == end and _within(counts, state) for state in self.sides):
                return end
        return open_ends[-1]


@cache
def boundaries(
    rule: EstimateRule, k: int, min_graded: int, error: float, *, failing: bool
) -> Boundaries:
    """Where a step may be left, with ``error`` spent as early as possible.

    Round by round, states are taken in the order of the largest chance of an error that each adds,
    as long as no outcome of the full draws exceeds ``error``. ``failing``: whether failed
    continuations are a kind of their own (``failed_as: missing``); else they count as wrong.
    """
    outcomes = tuple(
        (full, rule.above(full[0], full[0] + full[1], min_graded))
        for full in _states(k)
        if failing or full[2] == 0
    )
    return _boundaries(k, outcomes, Fraction(str(error)), failing=failing)


@cache
def _boundaries(
    k: int, sides_of: tuple[tuple[Counts, bool | None], ...], allowed: Fraction, *, failing: bool
) -> Boundaries:
    outcomes = dict(sides_of)
    spent = dict.fromkeys(outcomes, 0)
    most = {full: allowed * _orders(full) for full in outcomes}
    sides: dict[Counts, bool] = {}
    reached: dict[Counts, int] = {(0, 0, 0): 1}
    for end in ends(k)[:-1]:
        reached = _advanced(reached, end, failing=failing)
        for _, state, side, wrong in sorted(_choices(reached, outcomes), key=lambda one: one[:3]):
            if state not in sides and all(spent[at] + n <= most[at] for at, n in wrong.items()):
                sides[state] = side
                for at, n in wrong.items():
                    spent[at] += n
        reached = {state: ways for state, ways in reached.items() if state not in sides}
    errors = {full: Fraction(n, _orders(full)) for full, n in spent.items()}
    return Boundaries(k, sides, errors)


def _choices(
    reached: Mapping[Counts, int], outcomes: Mapping[Counts, bool | None]
) -> Iterator[tuple[Fraction, Counts, bool, dict[Counts, int]]]:
    """States and sides to leave them with: the largest chance of an error that each would add, and
    the orders of every outcome that would get another side."""
    for state, ways in reached.items():
        fulls = {
            full: ways * _orders(_minus(full, state)) for full in outcomes if _within(state, full)
        }
        for side in (False, True):
            if any(outcomes[full] is side for full in fulls):
                wrong = {full: n for full, n in fulls.items() if outcomes[full] is not side}
                worst = [Fraction(n, _orders(full)) for full, n in wrong.items()]
                yield max(worst, default=Fraction(0)), state, side, wrong


def _advanced(reached: Mapping[Counts, int], end: int, *, failing: bool) -> dict[Counts, int]:
    """Orders of draws that lead to each state after ``end`` draws and were not left before."""
    found: dict[Counts, int] = {}
    for state, ways in reached.items():
        for more in _states(end - sum(state)):
            if failing or more[2] == 0:
                after = (state[0] + more[0], state[1] + more[1], state[2] + more[2])
                found[after] = found.get(after, 0) + ways * _orders(more)
    return found


def _states(n: int) -> Iterator[Counts]:
    """Every way in which ``n`` draws may end."""
    for right in range(n + 1):
        for wrong in range(n - right + 1):
            yield right, wrong, n - right - wrong


@cache
def _orders(counts: Counts) -> int:
    """Orders in which these draws may come."""
    right, wrong, failed = counts
    return factorial(sum(counts)) // (factorial(right) * factorial(wrong) * factorial(failed))


def _within(part: Counts, whole: Counts) -> bool:
    return part[0] <= whole[0] and part[1] <= whole[1] and part[2] <= whole[2]


def _minus(whole: Counts, part: Counts) -> Counts:
    return whole[0] - part[0], whole[1] - part[1], whole[2] - part[2]
