"""Test-time scaling: selection out of stored candidates, guided search, intervals, tables."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.config.placement import WHOLE

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
Aggregation = Literal[
    "min", "mean", "product", "last", "max", "sum_logit", "mean_logit", "published_reward"
]
VoteWeight = Literal["whole", "min", "mean", "last", "max"]


class EvaluationConfig(Block):
    """Best-of-N selection out of the same stored candidates for every strategy."""

    candidates: int = Field(ge=1, description="rollouts drawn of every question (published: 16)")
    n: tuple[int, ...] = Field(description="how many of them a strategy sees, ascending")
    draws: int = Field(ge=1, description="seeded draws of n out of all; n = all is one draw")
    strategies: tuple[Strategy, ...]
    aggregations: tuple[Aggregation, ...] = Field(description="of step scores, step_aggregation")
    vote_weights: tuple[VoteWeight, ...] = Field(
        description="p(+) that a vote weighs, weighted_vote; whole: of the solution as one step"
    )
    deduplicate: bool = Field(description="solutions of equal text vote once (published search)")
    unfinished_compete: bool = Field(
        description="cut solutions compete as if finished (upstream); else only among themselves"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.n or list(self.n) != sorted(set(self.n)) or self.n[0] < 1:
            raise ValueError(f"n {list(self.n)} must be ascending numbers from 1")
        if self.n[-1] > self.candidates:
            raise ValueError(f"n {self.n[-1]} is more than candidates ({self.candidates})")
        for key in ("strategies", "aggregations", "vote_weights"):
            if len(set(getattr(self, key))) != len(getattr(self, key)):
                raise ValueError(f"{key} names one twice")
        if "step_aggregation" in self.strategies and not self.aggregations:
            raise ValueError("step_aggregation needs at least one of aggregations")
        if "weighted_vote" in self.strategies and not self.vote_weights:
            raise ValueError("weighted_vote needs at least one of vote_weights")
        return self


class SearchPlacement(Block):
    """Where policy and PRM of a guided search stand.

    Those that share hold one card together; a model of several cards never shares. The policy's
    share is what vLLM takes at its start (weights, activations, KV cache); the PRM's is what its
    weights and its largest batch must fit into.
    """

    share: bool | tuple[str, ...] = Field(
        default=False,
        description="policies of one card that share it with the PRM: all, none, or these names",
    )
    policy_memory: float = Field(default=0.55, gt=0, lt=1, description="share of the card")
    prm_memory: float = Field(default=0.35, gt=0, lt=1, description="share of the card")

    @model_validator(mode="after")
    def _fit_on_a_card(self) -> Self:
        both = self.policy_memory + self.prm_memory
        if both > WHOLE + 1e-9:
            raise ValueError(
                f"policy_memory {self.policy_memory:g} and prm_memory {self.prm_memory:g} are "
                f"{both:g} of a card, of which {WHOLE:g} can be given; lower one of them, or say "
                "share: false"
            )
        return self


class GuidedConfig(Block):
    """Step-guided greedy search: the PRM picks every step out of n candidates."""

    n: int = Field(ge=1, description="candidates a step (published: 16)")
    max_steps: int = Field(ge=1, description="rounds; without an end by then: unfinished (100)")
    step_tokens: int = Field(ge=1, description="tokens of one step; a longer candidate is dropped")
    deduplicate: bool = Field(description="candidates of equal text are scored once (published)")
    rank_by: Literal["p_plus", "published_reward"] = Field(
        description="p(+) of the step, or the published reward with its length penalty"
    )
    history: Literal["plus"] = Field(
        description="how earlier steps are answered when a step is scored: always + (published)"
    )
    stop_at_box: bool = Field(
        description="a step with a boxed answer ends the solution; published: end of turn only"
    )
    # excluded from slices: where models stand reruns nothing
    placement: SearchPlacement = Field(default=SearchPlacement(), exclude=True)


class MetricsConfig(Block):
    """Percentile bootstrap over questions, paired with pass@1."""

    resamples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int
    thresholds: tuple[Literal["half", "tuned"], ...] = Field(
        description="p(+) below which a step counts as wrong: 0.5, or cross-fitted over questions"
    )
    calibration_bins: int = Field(ge=2, le=50)


class TablesConfig(Block):
    """What tables and figures show; the CSV always holds everything."""

    curves: tuple[str, ...] = Field(
        description="strategies of the accuracy figure: name or name/aggregation, in order"
    )
    dpi: int = Field(ge=50, le=600, description="of PNG files; SVG has none")
