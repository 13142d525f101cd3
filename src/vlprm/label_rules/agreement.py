"""Judge and estimates must name the same first error, or both none: like the first published rule.

What estimates say of steps after the judge's error is not read: continuations of a spoiled prefix
tell nothing of those steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from vlprm.label_rules.consensus import veto, vetoes
from vlprm.label_rules.rule import (
    Drop,
    DroppedError,
    EstimateRule,
    Evidence,
    Seen,
    up_to_first_negative,
)


class Agreement(EstimateRule):
    """``agreement``: judge and estimates name the same first error."""

    needs: ClassVar[frozenset[Evidence]] = frozenset(Evidence)

    name: Literal["agreement"]

    def first_error(self, seen: Seen) -> tuple[int | None, str]:
        """The error that both name."""
        error = seen.judged_error
        if error is None:
            veto(seen)
            return None, "judge_correct_mc_agrees"
        estimated = seen.first_negative(error + 1)
        if estimated is None:
            raise DroppedError(Drop.ERROR_NOT_ESTIMATED)
        if estimated != error:
            raise DroppedError(Drop.FIRST_ERRORS_DIFFER)
        return error, "judge_incorrect_mc_agrees"

    def reads(self, seen: Seen) -> Iterable[int]:
        """Steps up to the judge's error; every step of what it calls right."""
        if not seen.judged:
            return ()
        error = seen.judged_error
        return vetoes(seen) if error is None else up_to_first_negative(seen.above[: error + 1])
