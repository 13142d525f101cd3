"""Models: where weights come from, how images are sized, how a policy samples."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.records import Sampling


class Pixels(Block):
    """Bounds of the one image resize, in pixels (published: 28·28 times 256 to 1280)."""

    min: int = Field(gt=0)
    max: int = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is larger than max ({self.max})")
        return self


class HubRef(Block):
    """A repository of the Hugging Face Hub at a pinned revision."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="commit hash, never a branch")
    repo_type: Literal["model", "dataset"] = "model"
    # excluded from slices: to know a size better must fetch nothing again
    gb: float | None = Field(
        default=None, gt=0, exclude=True, description="size in GB (1e9 bytes), an estimate"
    )
    gated: bool = Field(
        default=False, exclude=True, description="behind a licence: a download needs HF_TOKEN"
    )


class ModelConfig(Block):
    """One set of weights.

    ``published``: from the Hub (``hub``) or shipped with the checkout (``path``);
    ``build``: written by the workflow's own rule.
    """

    source: Literal["build", "published"]
    path: str | None = None
    hub: HubRef | None = None
    engine: Literal["transformers", "vllm"]
    dtype: Literal["float32", "bfloat16"]
    pixels: Pixels
    batch_tokens: int = Field(gt=0, description="tokens of one forward batch, a memory bound")
    gpus: int = Field(ge=0)

    @model_validator(mode="after")
    def _published_from_somewhere(self) -> Self:
        if self.source == "published" and (self.path is None) == (self.hub is None):
            raise ValueError("a published model needs either path or hub")
        return self


class PolicyConfig(Block):
    """A policy: weights, prompts, the layout of its solutions, decoding."""

    model: str
    system_prompt: str | None
    user_prompt: str
    layout: Literal["tagged", "blank_lines"]
    sampling: Sampling


class PRMConfig(Block):
    """A process reward model: published weights, or one trained by the run."""

    source: Literal["build", "published"]
    base: str = Field(
        description="the model it starts from (build), or the model it is (published)"
    )
    system_prompt: str
    training: str | None = Field(description="name of a training block; null when published")

    @model_validator(mode="after")
    def _built_by_training(self) -> Self:
        if (self.source == "build") != (self.training is not None):
            raise ValueError("a built PRM names its training block, a published one names none")
        return self
