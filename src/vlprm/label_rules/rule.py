"""What a label rule is: a block of the configuration, the evidence that it asks for, one decision.

A rule is pure: it sees the judge's word and on which side of its threshold each step's value lies,
and names the first wrong step. Nothing here knows of files, models or the rest of a configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from vlprm.records import Record, Rollout, Verdict


class Evidence(StrEnum):
    """What a rule may ask for; each is the table of one stage."""

    ESTIMATES = "estimates"
    VERDICTS = "verdicts"


class Drop(StrEnum):
    """Why a rollout gets no labels."""

    NO_STEPS = "no steps"
    UNFINISHED = "rollout cut or failed"
    NO_VERDICT = "no verdict"
    VERDICT_UNPARSED = "verdict unparsed"
    VERDICT_REFUSED = "verdict refused"
    VERDICT_ERROR = "verdict error"
    NO_ESTIMATE = "estimate missing or too few graded continuations"
    ESTIMATES_DISAGREE = "judge says all right, estimates disagree"
    FIRST_ERRORS_DIFFER = "judge and estimates name different first errors"
    PANEL_UNUSABLE = "a judge of the panel gave no usable verdict"
    PANEL_DISAGREES = "judges of the panel do not agree whether all is right"
    ERROR_NOT_ESTIMATED = "judge names an error, estimates find that step right"


class DroppedError(Exception):
    """A rule's word for a rollout without labels; ``reason`` is listed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = str(reason)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one rollout."""

    above: Sequence[bool | None]
    """Per step: is its value above the threshold? None: not known."""
    verdict: Verdict | None

    @property
    def judged(self) -> bool:
        """Whether there is a usable verdict."""
        return self.verdict is not None and self.verdict.status == "ok"

    @property
    def judged_error(self) -> int | None:
        """The judge's first wrong step; None: all right. Raises DroppedError without a verdict."""
        if self.verdict is None:
            raise DroppedError(Drop.NO_VERDICT)
        if self.verdict.status != "ok":
            raise DroppedError(Drop(f"verdict {self.verdict.status}"))
        return self.verdict.first_error

    def first_negative(self, stop: int | None = None) -> int | None:
        """The first of the steps before ``stop`` whose value is not above the threshold.

        Raises DroppedError at an unknown step before it.
        """
        for index, above in enumerate(self.above[:stop]):
            if above is None:
                raise DroppedError(Drop.NO_ESTIMATE)
            if not above:
                return index
        return None


_NOTHING: Mapping[int, bool | None] = MappingProxyType({})


class LabelRule(Record):
    """The base of all rules. A rule is one module: a subclass with its ``name`` and keys, and one
    line in ``label_rules``."""

    needs: ClassVar[frozenset[Evidence]]
    """Stages that run for this rule; the others do not. ``ESTIMATES``: an ``EstimateRule``."""

    name: str
    after_first_error: Literal["stop", "negative", "masked"] = Field(
        description="steps after the first wrong one: cut off (published), labelled -, or kept "
        "without loss"
    )

    def first_error(self, seen: Seen) -> tuple[int | None, str]:
        """The first wrong step (None: all right) and the case that decided.

        Raises DroppedError where the evidence names none.
        """
        raise NotImplementedError


class EstimateRule(LabelRule):
    """A rule that asks on which side of a threshold the value of a step lies.

    What it still needs is said step by step (``steps_to_estimate``) and draw by draw
    (``decided``), so that a stage can draw until no label depends on more.
    """

    halves: ClassVar[bool] = False
    """It asks which step is the first negative one and nothing else, so that halving finds it."""

    threshold: float = Field(
        ge=0, lt=1, allow_inf_nan=False, description="a step at or below it is negative"
    )

    def reads(self, seen: Seen) -> Iterable[int]:
        """Steps whose estimate can still change what ``first_error`` says or raises.

        ``seen`` is what is known so far: a None may become True or False. All steps is always a
        right answer; fewer save draws.
        """
        return range(len(seen.above))

    def steps_to_estimate(
        self,
        rollout: Rollout,
        verdict: Verdict | None,
        settled: Mapping[int, bool | None] = _NOTHING,
    ) -> tuple[int, ...]:
        """Steps of which an estimate is still needed: it can change a label, or why there is none.

        ``settled``: steps whose estimates are final, with what ``above`` says of them.
        """
        if unlabelled(rollout) is not None:
            return ()
        seen = Seen([settled.get(step.index) for step in rollout.steps], verdict)
        return tuple(index for index in self.reads(seen) if index not in settled)

    def above(self, n_correct: int, n_graded: int, min_graded: int) -> bool | None:
        """Is the share of right continuations above the threshold?

        What lacks in ``min_graded`` graded continuations may have been right or wrong: None
        (unknown) where that matters. So at threshold 0 one right continuation is enough, and
        "never right" takes ``min_graded`` of them.
        """
        graded = max(n_graded, min_graded)
        if n_correct / graded > self.threshold:
            return True
        return None if (n_correct + graded - n_graded) / graded > self.threshold else False

    def decided(self, n_correct: int, n_graded: int, remaining: int, min_graded: int) -> bool:
        """Will ``above`` stay as it is, whatever becomes of ``remaining`` more continuations?

        Each of them may end right, wrong or ungraded (or count as wrong where it fails).
        """
        if remaining == 0:
            return True
        worst = self.above(n_correct, n_graded + remaining, min_graded)
        best = self.above(n_correct + remaining, n_graded + remaining, min_graded)
        return worst is best is self.above(n_correct, n_graded, min_graded)


def unlabelled(rollout: Rollout) -> Drop | None:
    """Why a rollout gets no labels, whatever its evidence; None where it may."""
    if not rollout.steps:
        return Drop.NO_STEPS
    return Drop.UNFINISHED if rollout.finish_reason != "stop" else None


def up_to_first_negative(above: Sequence[bool | None]) -> range:
    """Steps that a look for the first negative one reads: none after it."""
    return range(above.index(False) if False in above else len(above))
