"""Beam search over steps against a PRM (Snell et al., arXiv 2408.03314, section 5.2).

As in HuggingFace's search-and-learn (``beam_search.py``): N beams with M expansions each, so N x M
candidates per round, also in the first; when fewer beams are left, they share the N x M draws.
Finished beams are set aside and take no place among the N. The search ends when no beam is left
that grows, or at ``max_steps``, and the best finished beam is the answer (a vote among them, which
both also report, is left out).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from vlprm.prm.aggregate import AGGREGATIONS, Aggregation
from vlprm.records import StepScore
from vlprm.search.keep.block import SearchBlock
from vlprm.search.state import Beam, Tree


class BeamSearch(SearchBlock):
    """``beams`` beams, each given ``expansions`` candidates per step."""

    label: ClassVar[str] = "beam search"
    marker: ClassVar[str] = "X"
    colours: ClassVar[tuple[str, ...]] = ("#882255", "#5b1a3a", "#c06c9a")

    kind: Literal["beam"]
    beams: int = Field(ge=1, description="kept after a step")
    expansions: int = Field(ge=1, description="candidates per beam and step")
    aggregate: Aggregation = Field(description="of a beam's step scores: what it is kept by")

    @property
    def width(self) -> int:
        return self.beams * self.expansions

    @property
    def rule(self) -> str:
        return (
            f"the best {self.beams} of {self.width} unfinished beams are kept, and the best"
            f" finished one is the answer, by the {self.aggregate} of its step scores"
        )

    def rank(self, scores: Sequence[StepScore]) -> float:
        return AGGREGATIONS[self.aggregate](scores)

    def keep(self, tree: Tree, grown: Sequence[Beam]) -> Tree:
        """The best of those that go on, the first of equals, and all that are finished.

        A beam none of whose candidates survived is dropped: others did.
        """
        ranked = sorted(grown, key=lambda beam: -beam.value)
        going_on = [beam for beam in ranked if not beam.finished][: self.beams]
        return tree.left_with([beam for beam in grown if beam.finished] + going_on)
