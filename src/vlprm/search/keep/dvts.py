"""Diverse verifier tree search (Beeching, Tunstall and Rush, "Scaling test-time compute", 2024).

As in HuggingFace's search-and-learn (``diverse_verifier_tree_search.py``): a budget of n candidates
is split into n/m subtrees that never meet. Each goes on with the best of its own m expansions, so
that one early favourite cannot crowd out all others. The best finished subtree is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from vlprm.prm.aggregate import AGGREGATIONS, Aggregation
from vlprm.records import StepScore
from vlprm.search.keep.block import SearchBlock
from vlprm.search.state import Beam, Tree


class DVTS(SearchBlock):
    """``subtrees`` greedy searches side by side, each of ``expansions`` candidates per step."""

    label: ClassVar[str] = "DVTS"
    marker: ClassVar[str] = "p"
    colours: ClassVar[tuple[str, ...]] = ("#117733", "#0b4d21", "#66a61e")

    kind: Literal["dvts"]
    subtrees: int = Field(ge=1, description="that never meet (n/m of the published description)")
    expansions: int = Field(ge=1, description="candidates per subtree and step (its m)")
    aggregate: Aggregation = Field(description="of a beam's step scores: what it is kept by")

    @property
    def width(self) -> int:
        return self.subtrees * self.expansions

    @property
    def rule(self) -> str:
        return (
            f"{self.subtrees} subtrees keep the best of {self.expansions} each, and the best"
            f" finished one is the answer, by the {self.aggregate} of its step scores"
        )

    @property
    def roots(self) -> int:
        return self.subtrees

    def draws(self, live: Sequence[Beam]) -> list[range]:
        """Each subtree's own, whatever became of the others."""
        m = self.expansions
        return [range(m * beam.subtree, m * (beam.subtree + 1)) for beam in live]

    def rank(self, scores: Sequence[StepScore]) -> float:
        return AGGREGATIONS[self.aggregate](scores)

    def keep(self, tree: Tree, grown: Sequence[Beam]) -> Tree:
        """The best of each subtree, the first of equals; one without a survivor tries again."""
        return tree.left_with(
            max(
                (beam for beam in grown if beam.subtree == before.subtree),
                key=lambda beam: beam.value,
                default=before,
            )
            for before in tree.live
        )
