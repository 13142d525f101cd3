"""Step-guided greedy search: the best of n next steps is taken (upstream BON:961-1164)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.records import StepScore
from vlprm.search.keep.block import SearchBlock
from vlprm.search.state import Beam, Tree


class Greedy(SearchBlock):
    """One beam; of n candidates per step the one whose newest step scores best goes on."""

    label: ClassVar[str] = "step-guided search"
    marker: ClassVar[str] = "*"
    colours: ClassVar[tuple[str, ...]] = ("#d55e00", "#a63603", "#fd8d3c")

    kind: Literal["greedy"]
    n: int = Field(ge=1, description="candidates per step (published: 16)")
    rank_by: Literal["p_plus", "published_reward"] = Field(
        description="p(+) of the step, or the published reward with its length penalty"
    )

    @property
    def width(self) -> int:
        return self.n

    @property
    def rule(self) -> str:
        return f"the best of {self.n} next steps is taken, by {self.rank_by}"

    def rank(self, scores: Sequence[StepScore]) -> float:
        # both read the newest step only; where every step is negative, the published rank takes
        # the smallest p(-)
        return AGGREGATIONS["last" if self.rank_by == "p_plus" else self.rank_by](scores)

    def keep(self, tree: Tree, grown: Sequence[Beam]) -> Tree:
        """The best; the first of equals (upstream: strict ``>``, BON:1052-1116)."""
        return tree.left_with([max(grown, key=lambda beam: beam.value)])
