"""The judge proposes, estimates second: its error counts only where most continuations fail.

Between the published rules: ``consensus`` believes any error that the judge names, ``agreement``
also asks that no step before it is negative. Here one step is asked about, so one step's
continuations are enough; what the judge calls right is believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from vlprm.label_rules.rule import Drop, DroppedError, EstimateRule, Evidence, Seen


class Seconded(EstimateRule):
    """``seconded``: the judge's error, if continuations from there are seldom right."""

    needs: ClassVar[frozenset[Evidence]] = frozenset(Evidence)

    name: Literal["seconded"]

    def first_error(self, seen: Seen) -> tuple[int | None, str]:
        """The judge's, where the step's value is at or below the threshold."""
        error = seen.judged_error
        if error is None:
            return None, "judge_correct"
        if seen.above[error] is None:
            raise DroppedError(Drop.NO_ESTIMATE)
        if seen.above[error]:
            raise DroppedError(Drop.ERROR_NOT_ESTIMATED)
        return error, "judge_incorrect_mc_seconds"

    def reads(self, seen: Seen) -> Iterable[int]:
        """The step that the judge names."""
        error = seen.judged_error if seen.judged else None
        return () if error is None else (error,)
