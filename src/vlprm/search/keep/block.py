"""What every kind of search states in the configuration, and the questions a kind answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlprm.records import Record, StepScore
from vlprm.search.state import Beam, Tree


class SearchBlock(Record):
    """A search of the configuration; ``kind`` names the subclass.

    A kind decides how many steps each beam is given (``draws``), what a beam is ranked by
    (``rank``) and which grown beams go on (``keep``). The loop does the rest.
    """

    label: ClassVar[str]
    """What tables and figures call the kind."""
    marker: ClassVar[str]
    """Matplotlib's marker in figures."""
    colours: ClassVar[tuple[str, ...]]
    """Of the first search of this kind in a configuration, of the second, ..."""

    max_steps: int = Field(ge=1, description="rounds; without an end by then: unfinished (100)")
    step_tokens: int = Field(ge=1, description="tokens of one step; a longer candidate is dropped")
    deduplicate: bool = Field(description="candidates of equal text are scored once (published)")
    stop_at_box: bool = Field(
        description="a step with a boxed answer ends the solution; published: end of turn only"
    )

    @property
    @abstractmethod
    def width(self) -> int:
        """Candidates per question and round, at most: the N of tables and figures."""

    @property
    @abstractmethod
    def rule(self) -> str:
        """What is kept, and how the answer is chosen, in a few words for the tables."""

    @property
    def roots(self) -> int:
        """Subtrees, each of which begins with an empty solution."""
        return 1

    def draws(self, live: Sequence[Beam]) -> list[range]:
        """The numbers of the draws each live beam is given, below ``width``.

        Unless a kind says otherwise: the width spread evenly, the first beams taking the rest.
        """
        each, more = divmod(self.width, len(live))
        ends = [each * (place + 1) + min(more, place + 1) for place in range(len(live))]
        return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    @abstractmethod
    def rank(self, scores: Sequence[StepScore]) -> float:
        """A beam's value, of the scores of its steps in order; larger is better."""

    @abstractmethod
    def keep(self, tree: Tree, grown: Sequence[Beam]) -> Tree:
        """The tree after a round: ``tree`` is the one before, ``grown`` are its live beams with
        one step more each, valued, in the order of the draws; at least one."""
