"""Test-time scaling: selection out of stored candidates, where searches stand, tables."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.config.named import Distinct, PolicyName, Some, one_of
from vlprm.config.placement import WHOLE_CARD
from vlprm.prm.aggregate import Aggregation

Strategy = Literal[
    "first",
    "random",
    "majority",
    "weighted_vote",
    "best_of_n_orm",
    "published_reward",
    "step_aggregation",
    "llm_judge",
]
VoteWeight = Literal["whole", "min", "mean", "last", "max"]
WITH_PRM = frozenset({"best_of_n_orm", "published_reward", "step_aggregation", "weighted_vote"})
"""Strategies that ask a PRM."""
WAYS = {"step_aggregation": "aggregations", "weighted_vote": "vote_weights"}
"""Strategies that are run in several ways, with the key that lists these."""
_OF_A_STRATEGY = {"step_aggregation": Aggregation, "weighted_vote": VoteWeight}


def curves() -> list[str]:
    """Every curve of the stored candidates that a figure can show; searches are curves too."""
    found = []
    for name in get_args(Strategy):
        ways = get_args(_OF_A_STRATEGY[name]) if name in _OF_A_STRATEGY else ()
        found += [f"{name}/{way}" for way in ways] or [name]
    return found


Curve = Annotated[str, one_of(curves, "searches")]


class EvaluationConfig(Block):
    """Best-of-N selection out of the same stored candidates for every strategy."""

    candidates: int = Field(ge=1, description="rollouts drawn of every question (published: 16)")
    n: tuple[int, ...] = Field(description="how many of them a strategy sees, ascending")
    draws: int = Field(ge=1, description="seeded draws of n out of all; n = all is one draw")
    strategies: Some[Strategy]
    aggregations: Distinct[Aggregation] = Field(description="of step scores, step_aggregation")
    vote_weights: Distinct[VoteWeight] = Field(
        description="p(+) that a vote weighs, weighted_vote; whole: of the solution as one step"
    )
    deduplicate: bool = Field(description="solutions of equal text vote once (published search)")
    unfinished_compete: bool = Field(
        description="cut solutions compete as if finished (upstream); else only among themselves"
    )

    def ways(self, strategy: str) -> tuple[str | None, ...]:
        """The aggregations or weights by which a strategy is run; None: it has none."""
        ways: tuple[str, ...] | None = getattr(self, WAYS.get(strategy, ""), None)
        return (None,) if ways is None else ways

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.n or list(self.n) != sorted(set(self.n)) or self.n[0] < 1:
            raise ValueError(f"n {list(self.n)} must be ascending numbers from 1")
        if self.n[-1] > self.candidates:
            raise ValueError(f"n {self.n[-1]} is more than candidates ({self.candidates})")
        if "step_aggregation" in self.strategies and not self.aggregations:
            raise ValueError("step_aggregation needs at least one of aggregations")
        if "weighted_vote" in self.strategies and not self.vote_weights:
            raise ValueError("weighted_vote needs at least one of vote_weights")
        return self


class SearchPlacement(Block):
    """Where policy and PRM of a search stand.

    Those that share hold one card together; a model of several cards never shares. The policy's
    share is what vLLM takes at its start (weights, activations, KV cache); the PRM's is what its
    weights and its largest batch must fit into.
    """

    share: bool | Distinct[PolicyName] = Field(
        default=False,
        description="policies of one card that share it with the PRM: all, none, or these names",
    )
    policy_memory: float = Field(default=0.55, gt=0, lt=1, description="share of the card")
    prm_memory: float = Field(default=0.35, gt=0, lt=1, description="share of the card")

    @model_validator(mode="after")
    def _fit_on_a_card(self) -> Self:
        both = self.policy_memory + self.prm_memory
        if both > WHOLE_CARD + 1e-9:
            raise ValueError(
                f"policy_memory {self.policy_memory:g} and prm_memory {self.prm_memory:g} are "
                f"{both:g} of a card, of which {WHOLE_CARD:g} can be given; lower one of them, or "
                "say share: false"
            )
        return self


class MetricsConfig(Block):
    """Intervals over questions, paired with pass@1."""

    resamples: int = Field(ge=100, description="of the bootstrap: F1 of two parts, calibration")
    confidence: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)
    thresholds: Some[Literal["half", "tuned"]] = Field(
        description="p(+) below which a step counts as wrong: 0.5, or cross-fitted over questions"
    )
    calibration_bins: int = Field(ge=2, le=50)
    unfinished: Literal["wrong", "left_out"] = Field(
        default="wrong",
        description="what a solution cut at its token or step limit counts as (published: wrong)",
    )


class TablesConfig(Block):
    """What tables and figures show; the CSV always holds everything."""

    curves: Some[Curve] = Field(
        description="of the accuracy figure, in order: strategy, strategy/aggregation or search; "
        "each one that the evaluation makes"
    )
    dpi: int = Field(ge=50, le=600, description="of PNG files; SVG has none")
    equivalence: float = Field(
        default=2.0,
        gt=0,
        description="points; a difference to the paper shown to be smaller counts as agreement",
    )
