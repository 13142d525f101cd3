"""Labels: Monte-Carlo estimates, the judge, the labelling rule, the training conversations."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from vlprm.config.access import Budget, Endpoint, Endpoints
from vlprm.config.block import Block, later
from vlprm.config.estimates import EstimateConfig
from vlprm.config.named import (
    Given,
    JudgePrompt,
    Name,
    PolicyName,
    Prompt,
    SourceName,
    Text,
    Url,
    Variable,
)
from vlprm.label_rules import AnyLabelRule, Evidence

TIMEOUT_S = 600
"""A judge that thinks sends nothing until it is done: 8192 tokens at 14 a second."""

Subset = Literal["all", "no_perception", "reasoning_errors"]


class JudgeConfig(Block):
    """Who names the first wrong step.

    ``truth`` compares with the generator's own account of a puzzle; ``api`` asks a model behind
    an OpenAI-compatible address, or several, whose keys are read from the environment variables
    named here.
    Compute nodes seldom have a network, so an ``api`` judge runs where Snakemake does (``where:
    login``), or else as a job like any other.
    """

    name: Text = Field(description="recorded with every verdict")
    engine: Literal["truth", "api"]
    prompt: JudgePrompt
    model: Text | None = None
    base_url: Url | None = None
    api_key_env: Variable | None = None
    max_tokens: int | None = Field(default=None, gt=0, description="of the reply (published: 8192)")
    temperature: float | None = Field(
        default=None, ge=0, description="null: the model's own (published)"
    )
    concurrency: int | None = Field(default=None, gt=0, description="requests under way at once")
    errors: Literal["open", "final"] = Field(
        default="open",
        description="calls without an answer after all retries: asked again by the next run, or "
        "given up as verdicts of status error",
    )
    attempts: Annotated[int, Field(gt=0, le=10)] = later(
        1,
        "times that it is asked while its reply cannot be read, the first included; then the "
        "verdict is unparsed",
    )
    # excluded from slices: where it runs and how long it is waited for change no verdict
    where: Literal["login", "job"] = Field(
        default="login", exclude=True, description="where an api judge runs; truth is always a job"
    )
    timeout_seconds: int = Field(
        default=TIMEOUT_S,
        gt=0,
        exclude=True,
        description="how long a call to an api judge waits for its answer",
    )
    late_tries: int = Field(
        default=1,
        gt=0,
        le=10,
        exclude=True,
        description="times that a call is made while it waits in vain, the first included",
    )
    endpoints: Endpoints = Field(
        default=(),
        exclude=True,
        description="where the model is asked, each with its own limits; empty: at base_url",
    )
    budget: Budget | None = Field(
        default=None,
        exclude=True,
        description="the most that its calls may cost in this run, or unlimited; null: nothing "
        "that costs money is asked",
    )

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        if self.engine != "api":
            return self
        needed = ["model", "max_tokens", "concurrency"]
        if info.context is not None and not self.endpoints:  # a slice holds no endpoints
            needed.insert(1, "base_url")
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"engine api needs {', '.join(missing)}")
        return self

    @property
    def asked_at(self) -> tuple[Endpoint, ...]:
        """Its endpoints: those that are listed, else the one of base_url and api_key_env."""
        if self.endpoints or self.base_url is None:
            return self.endpoints
        return (Endpoint.model_construct(base_url=self.base_url, key_env=self.api_key_env),)

    @property
    def on_login(self) -> bool:
        """Whether it runs where Snakemake does."""
        return self.engine == "api" and self.where == "login"


Keep = Literal["all", "usable", "same_conclusion"]


class JudgePanel(Block):
    """Judges beside the one whose word the label rule takes, on the same rollouts.

    The published data passed such a filter: three judges, and a rollout of which any of them gave
    no readable verdict was dropped (specification, data 3.5, point 6).
    """

    judges: dict[Name, JudgeConfig] = Field(min_length=1, description="by the name of their table")
    keep: Keep = Field(
        default="all",
        description="rollouts that are labelled: all; usable: of which every judge gave a usable "
        "verdict (published); same_conclusion: of which all say that all is right, or all that "
        "something is wrong (the first published rule, with rule agreement)",
    )

    @property
    def on_login(self) -> bool:
        """Whether one of them runs where Snakemake does; then all do."""
        return any(judge.on_login for judge in self.judges.values())


class ExamplesConfig(Block):
    """Training conversations."""

    system_prompt: Prompt
    balance: Literal["none", "outcome"] = Field(
        description="none: all (published); outcome: as many with an error as without"
    )
    published: Given | None = Field(
        default=None,
        description="folder with examples.parquet and images.parquet of another run; null: build",
    )
    max_examples: int | None = Field(gt=0, description="seeded subset of at most so many")
    subset: Subset = later(
        "all",
        "no_perception: perception steps carry no loss; reasoning_errors: no rollout whose first "
        "error is one of perception",
    )
    soft: bool = later(
        False, "train on the share of right continuations of each labelled step instead of 1 and 0"
    )
    caps: dict[SourceName, Annotated[int, Field(gt=0)]] = later(
        {}, "at most so many conversations of a source, a seeded subset"
    )
    weights: dict[SourceName, Annotated[float, Field(ge=0)]] = later(
        {}, "shares of sources: the largest whole of which none lacks any; 0: none of it"
    )


class LabelFactory(Block):
    """From rollouts of the sources to training conversations.

    What the rule does not need may be null, and its stage does not run (``config.across`` refuses
    what is needed and null).
    """

    policy: PolicyName = Field(description="the policy whose rollouts are labelled")
    estimates: EstimateConfig | None
    judge: JudgeConfig | None
    panel: JudgePanel | None = Field(
        default=None, description="other judges side by side; null: none is asked"
    )
    rule: AnyLabelRule
    examples: ExamplesConfig

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if not self.examples.soft:
            return self
        if self.estimates is None or self.rule.needs != {Evidence.ESTIMATES}:
            raise ValueError(
                f"examples.soft: the rule {self.rule.name} does not label by estimates alone; "
                "name monte_carlo"
            )
        if self.estimates.draw != "all":
            raise ValueError("examples.soft is true, and estimates.draw is not all; say all")
        if self.estimates.steps != "all":
            raise ValueError("examples.soft is true, and estimates.steps is not all; say all")
        return self

    @model_validator(mode="after")
    def _halves(self) -> Self:
        if not self.estimated or self.estimates is None or self.estimates.steps == "all":
            return self
        if not getattr(self.rule, "halves", False):
            raise ValueError(
                f"estimates.steps is {self.estimates.steps}, and the rule {self.rule.name} reads "
                "every step; say steps: all, or name monte_carlo"
            )
        return self

    @model_validator(mode="after")
    def _beside_a_judge(self) -> Self:
        if self.panel is None:
            return self
        if self.judge is None:
            raise ValueError(
                "panel is given, and judge is null; name a judge, or leave the panel out"
            )
        if self.panel.keep != "all" and not self.judged:
            raise ValueError(
                f"panel.keep is {self.panel.keep}, and the rule {self.rule.name} reads no verdict; "
                "say all, or name another rule"
            )
        if self.judge.name in self.panel.judges:
            raise ValueError(
                f"panel.judges has {self.judge.name!r}, the name of labels.judge; give it another"
            )
        return self

    @property
    def estimated(self) -> bool:
        """Whether the rule asks for estimates."""
        return Evidence.ESTIMATES in self.rule.needs

    @property
    def judged(self) -> bool:
        """Whether the rule asks for verdicts."""
        return Evidence.VERDICTS in self.rule.needs

    @property
    def judged_first(self) -> bool:
        """Whether estimates are drawn after the verdicts, where these leave a label open."""
        stops = self.estimates is not None and self.estimates.stops
        return stops and self.estimated and self.judged
