"""Labels: Monte-Carlo estimates, the judge, the labelling rule, the training conversations."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block


class EstimateConfig(Block):
    """Continuations of every step prefix."""

    continuations: int = Field(gt=0, description="drawn from each prefix (published: 16)")
    failed_as: Literal["missing", "wrong"] = Field(
        description="failed or cut continuations: left out of the share, or counted as wrong "
        "(as published)"
    )
    min_graded: int = Field(
        gt=0, description="graded continuations below which a step has no value"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.min_graded > self.continuations:
            raise ValueError(
                f"min_graded ({self.min_graded}) is more than continuations ({self.continuations})"
            )
        return self


class JudgeConfig(Block):
    """Who names the first wrong step.

    ``truth`` compares with the generator's own account of a puzzle; ``api`` asks a model behind
    an OpenAI-compatible address, whose key is read from the environment variable named here.
    """

    name: str = Field(description="recorded with every verdict")
    engine: Literal["truth", "api"]
    prompt: str
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    max_tokens: int | None = Field(default=None, gt=0, description="of the reply (published: 8192)")
    temperature: float | None = Field(
        default=None, ge=0, description="null: the model's own (published)"
    )
    concurrency: int | None = Field(default=None, gt=0, description="requests under way at once")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = ("model", "base_url", "max_tokens", "concurrency")
        missing = [name for name in needed if getattr(self, name) is None]
        if self.engine == "api" and missing:
            raise ValueError(f"engine api needs {', '.join(missing)}")
        return self


class LabelRule(Block):
    """How estimates and verdict become labels.

    ``consensus``: the judge places the error, estimates veto "all right" (published, v2);
    ``agreement``: judge and estimates must name the same first error (v1-like);
    ``monte_carlo`` and ``judge``: one of the two alone.
    """

    name: Literal["consensus", "agreement", "monte_carlo", "judge"]
    threshold: float = Field(ge=0, lt=1, description="a step at or below it is negative")
    after_first_error: Literal["stop", "negative", "masked"] = Field(
        description="steps after the first wrong one: cut off (published), labelled -, or kept "
        "without loss"
    )


class ExamplesConfig(Block):
    """Training conversations."""

    system_prompt: str
    balance: Literal["none", "outcome"] = Field(
        description="none: all (published); outcome: as many with an error as without"
    )
    published: str | None = Field(
        default=None,
        description="folder with examples.parquet and images.parquet of another run; null: build",
    )
    max_examples: int | None = Field(gt=0, description="seeded subset of at most so many")
