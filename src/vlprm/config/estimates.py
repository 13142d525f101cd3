"""Monte-Carlo estimates: how many continuations of which steps, and what ends them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block, later
from vlprm.label_rules.rule import EstimateRule
from vlprm.label_rules.sides import Draw, Sides

SEQUENTIAL_MOST = 32
"""Continuations of a sequential test: its boundaries take 2 s there, and 17 s at 64."""


class EstimateConfig(Block):
    """Continuations of every step prefix."""

    continuations: int = Field(gt=0, description="drawn from each prefix (published: 16)")
    failed_as: Literal["missing", "wrong"] = Field(
        description="failed or cut continuations: left out of the share, or counted as wrong "
        "(as published)"
    )
    min_graded: int = Field(
        gt=0,
        description="graded continuations that a step's side of the threshold takes, unless the "
        "ones that lack could not change it",
    )
    draw: Draw = Field(
        default="all",
        description="all: values as published; until_decided: in rounds, and only where a label "
        "depends on it: the same labels, no values; sequential: a step is also left where a test "
        "says on which side of the threshold it is",
    )
    error: Annotated[float, Field(gt=0, lt=0.5)] | None = later(
        None,
        "of draw sequential: chance, at most, that a step is left on another side of the threshold "
        "than all of its continuations give",
    )

    steps: Literal["all", "bisection"] = later(
        "all",
        "bisection: the first step whose estimate is wrong is looked for by halving, as if no "
        "later one were right; rule monte_carlo",
    )
    doubtful_first: bool = later(
        False,
        "after the first draws of its steps, only the most doubtful open step of a rollout is "
        "drawn on until it is known, which may spare the others: fewer draws in more rounds",
    )
    max_tokens: Annotated[int, Field(gt=0)] | None = later(
        None, "of a continuation, at most as many as of a rollout; null: as many"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.min_graded > self.continuations:
            raise ValueError(
                f"min_graded ({self.min_graded}) is more than continuations ({self.continuations})"
            )
        return self

    @model_validator(mode="after")
    def _spares(self) -> Self:
        if self.doubtful_first and self.draw == "all":
            raise ValueError(
                "doubtful_first is true, and draw is all; say draw: until_decided, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _tested(self) -> Self:
        if self.draw != "sequential":
            if self.error is not None:
                raise ValueError(
                    f"error is given, and draw is {self.draw}; say draw: sequential, or leave the "
                    "error out"
                )
            return self
        if self.error is None:
            raise ValueError("draw is sequential, and no error is given; add error: 0.05")
        if self.continuations > SEQUENTIAL_MOST:
            raise ValueError(
                f"draw is sequential, and continuations is {self.continuations}; its exact test "
                f"takes at most {SEQUENTIAL_MOST}: lower them, or say draw: until_decided"
            )
        return self

    @property
    def stops(self) -> bool:
        """Whether the label rule says what is drawn."""
        return self.draw != "all" or self.steps != "all"

    def sides(self, rule: EstimateRule) -> Sides:
        """On which side of the rule's threshold a step lies, and whether more may change it."""
        return Sides(
            rule,
            continuations=self.continuations,
            min_graded=self.min_graded,
            failed_as=self.failed_as,
            draw=self.draw,
            error=self.error,
        )

    @property
    def guesses(self) -> bool:
        """Whether a step's side of the threshold is more than its counts alone say."""
        return self.draw == "sequential" or self.steps == "bisection"
