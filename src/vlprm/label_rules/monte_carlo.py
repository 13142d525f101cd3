"""Estimates alone: the first step at or below the threshold is the first wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from vlprm.label_rules.rule import EstimateRule, Evidence, Seen, up_to_first_negative


class MonteCarlo(EstimateRule):
    """``monte_carlo``: estimates alone; no judge is asked."""

    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.ESTIMATES})
    halves: ClassVar[bool] = True

    name: Literal["monte_carlo"]

    def first_error(self, seen: Seen) -> tuple[int | None, str]:
        """The first step that is never right enough."""
        error = seen.first_negative()
        return error, "mc_positive" if error is None else "mc_negative"

    def reads(self, seen: Seen) -> Iterable[int]:
        """No step after the first negative one."""
        return up_to_first_negative(seen.above)
