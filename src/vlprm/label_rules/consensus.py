"""The judge places the error, estimates veto "all right": the published rule, second version.

[SIB] convert_mc_to_prm_signal.py:862-905 in the specification, section 3.5:

=================  ==========================  =======================================
judge              Monte-Carlo                 outcome
=================  ==========================  =======================================
all steps right    every step above threshold  every step ``+``
all steps right    some step at or below it    dropped
first error is k   anything                    ``+`` before k, ``-`` at k, cut after k
=================  ==========================  =======================================

So estimates never place an error, and where the judge names one nothing needs to be estimated.
Unlike the published script, a verdict that another, unused judge failed to give costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from vlprm.label_rules.rule import Drop, DroppedError, EstimateRule, Evidence, Seen


class Consensus(EstimateRule):
    """``consensus``: the judge places the error, estimates veto "all right"."""

    needs: ClassVar[frozenset[Evidence]] = frozenset(Evidence)

    name: Literal["consensus"]

    def first_error(self, seen: Seen) -> tuple[int | None, str]:
        """See the table above."""
        error = seen.judged_error
        if error is not None:
            return error, "judge_incorrect"
        veto(seen)
        return None, "judge_correct_mc_agrees"

    def reads(self, seen: Seen) -> Iterable[int]:
        """Every step of what the judge calls right, until one of them is a veto."""
        return vetoes(seen) if seen.judged and seen.judged_error is None else ()


def veto(seen: Seen) -> None:
    """Raises DroppedError where estimates do not find every step right."""
    # a known veto counts even where another step's value is unknown
    if False in seen.above:
        raise DroppedError(Drop.ESTIMATES_DISAGREE)
    if None in seen.above:
        raise DroppedError(Drop.NO_ESTIMATE)


def vetoes(seen: Seen) -> Iterable[int]:
    """Steps that ``veto`` may still read."""
    return () if False in seen.above else range(len(seen.above))
