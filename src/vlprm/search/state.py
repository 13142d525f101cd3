"""The state of one question's search: its beams, their scores, and what it cost so far.

Everything is frozen. A round makes requests of a state and a new state of the replies, so that a
search asked again asks the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vlprm.protocols import Completion
from vlprm.records import Sample, StepScore


@dataclass(frozen=True, slots=True)
class Beam:
    """A solution so far."""

    subtree: int = 0
    """Beams of one subtree compete with each other only; 0 where a search has one tree."""
    text: str = ""
    tokens: int = 0
    scores: tuple[StepScore, ...] = ()
    """Of its steps, in order, each read when the step was new."""
    value: float = -math.inf
    """What the search ranks it by; larger is better."""
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A drawn step that is fit to be scored."""

    parent: Beam
    completion: Completion
    steps: tuple[str, ...]
    """The solution with it, step by step."""
    finished: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a search asked for."""

    rounds: int = 0
    policy_samples: int = 0
    sampled_tokens: int = 0
    prm_calls: int = 0
    read_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """The search of one question."""

    sample: Sample
    seed: int
    live: tuple[Beam, ...]
    """Beams that grow."""
    finished: tuple[Beam, ...] = ()
    """Whole solutions, in the order in which they ended."""
    cut: tuple[Beam, ...] = ()
    """Beams at the token limit of a solution."""
    cost: Cost = Cost()
    prompt_tokens: int = 0
    failed: bool = True
    """Until one completion comes back that is not an error."""

    def left_with(self, beams: Iterable[Beam]) -> Tree:
        """The tree with these beams instead of its live ones; finished ones are set aside."""
        kept = tuple(beams)
        return replace(
            self,
            live=tuple(beam for beam in kept if not beam.finished),
            finished=self.finished + tuple(beam for beam in kept if beam.finished),
        )

    def within(self, max_tokens: int) -> Tree:
        """The tree without live beams of ``max_tokens`` tokens or more: those are cut."""
        return replace(
            self,
            live=tuple(beam for beam in self.live if beam.tokens < max_tokens),
            cut=self.cut + tuple(beam for beam in self.live if beam.tokens >= max_tokens),
        )

    def best(self) -> Beam:
        """The answer: the best finished beam, or without one the best of the others.

        Of equals the one that ended first.
        """
        return max(self.finished or (*self.cut, *self.live), key=lambda beam: beam.value)
