"""Cautious search: of n next steps the one goes on whose solution has the best worst step.

Greedy search looks at the newest step alone and forgives what came before it; here one doubtful
step lowers a solution for good. Of equals, the one whose newest step is surer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from vlprm.prm.aggregate import p_plus
from vlprm.records import StepScore
from vlprm.search.keep.block import SearchBlock
from vlprm.search.state import Beam, Tree


class Cautious(SearchBlock):
    """``beams`` solutions share n candidates per step; those with the best worst step go on."""

    label: ClassVar[str] = "cautious search"
    marker: ClassVar[str] = "v"
    colours: ClassVar[tuple[str, ...]] = ("#0072b2", "#003f5c", "#56b4e9")

    kind: Literal["cautious"]
    n: int = Field(ge=1, description="candidates per step")
    beams: int = Field(ge=1, description="kept after a step")

    @property
    def width(self) -> int:
        return self.n

    @property
    def rule(self) -> str:
        return f"of {self.n} next steps the {self.beams} with the best worst step are kept"

    def rank(self, scores: Sequence[StepScore]) -> float:
        return min(map(p_plus, scores))

    def keep(self, tree: Tree, grown: Sequence[Beam]) -> Tree:
        """The best, finished or not: a finished solution must hold its place against the rest."""
        ranked = sorted(grown, key=lambda beam: (-beam.value, -p_plus(beam.scores[-1])))
        return tree.left_with(ranked[: self.beams])
