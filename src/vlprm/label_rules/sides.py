"""On which side of the threshold a step lies, by what was drawn, and whether more may change it.

The one place that drawing and labelling ask: what ended the draws is what the label says.
"""

from __future__ import annotations

from typing import Literal

from vlprm.label_rules.rule import EstimateRule
from vlprm.label_rules.sequential import Boundaries, Counts, boundaries, ends
from vlprm.records import StepEstimate

Draw = Literal["all", "until_decided", "sequential"]


class Sides:
    """Of one rule, for estimates that were drawn so (``config.estimates.EstimateConfig``)."""

    def __init__(
        self,
        rule: EstimateRule,
        *,
        continuations: int,
        min_graded: int,
        failed_as: Literal["missing", "wrong"],
        draw: Draw,
        error: float | None = None,
    ) -> None:
        self._rule, self._k, self._min_graded = rule, continuations, min_graded
        self._all, self._failing = draw == "all", failed_as == "missing"
        self._test: Boundaries | None = None
        # at threshold 0 the first right one is certain, and "never right" takes all draws
        if draw == "sequential" and error is not None and rule.threshold > 0:
            self._test = boundaries(rule, self._k, min_graded, error, failing=self._failing)

    def of(self, seen: StepEstimate) -> bool | None:
        """Is the step above the threshold? None: not known."""
        left = self._left(seen)
        if left is not None:
            return left
        return self._rule.above(seen.n_correct, seen.n_graded, self._min_graded)

    def settled(self, seen: StepEstimate) -> bool:
        """Does no further continuation change what ``of`` says, or is none to be drawn?"""
        remaining = self._k - sum(self._counts(seen))
        if self._all:
            return remaining == 0
        return self._left(seen) is not None or self._rule.decided(
            seen.n_correct, seen.n_graded, remaining, self._min_graded
        )

    def next_end(self, seen: StepEstimate) -> int:
        """Draws after which to ask again whether the step is ``settled``."""
        counts = self._counts(seen)
        if self._all:
            return self._k
        if self._test is not None:
            return self._test.next_end(counts)
        return next(end for end in ends(self._k) if end > sum(counts))

    def _left(self, seen: StepEstimate) -> bool | None:
        """The verdict of the sequential test, where it left the step."""
        return None if self._test is None else self._test.sides.get(self._counts(seen))

    def _counts(self, seen: StepEstimate) -> Counts:
        failed = seen.n_failed if self._failing else 0
        return seen.n_correct, seen.n_graded - seen.n_correct, failed
