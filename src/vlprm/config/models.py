"""Models: where weights come from, how images are sized, how a policy samples."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.config.named import (
    Given,
    ModelName,
    Prompt,
    QuestionPrompt,
    ShownQuestion,
    TrainingName,
    one_of,
)
from vlprm.families import FAMILIES, playing
from vlprm.families.family import Role
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


_ROLES: Final[tuple[Role, ...]] = ("policy", "scorer")
_BUILT = "qwen2_5_vl"
"""Architecture of what rule ``base`` writes (``training.base_architecture``)."""


class Engines(Block):
    """The engine that plays each role of a model; a role that the model does not have is left out.

    vLLM draws text only: it gives no logits of chosen tokens at every step of a prompt
    (0.10.1.1: ``prompt_logprobs`` are the most likely tokens'). The transformers policy runs on
    one device; the transformers scorer splits over several by tensor parallelism.
    """

    policy: Literal["vllm", "transformers"] | None = None
    scorer: Literal["transformers"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_their_role(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("scorer") == "vllm":
            raise ValueError("scorer: vllm cannot score, it only draws text; say transformers")
        return data


class ModelConfig(Block):
    """One set of weights.

    ``published``: from the Hub (``hub``) or shipped with the checkout (``path``);
    ``build``: written by the workflow's own rule.
    """

    source: Literal["build", "published"]
    family: Annotated[str, one_of(lambda: FAMILIES)] = Field(
        description="how it shows images and text; see vlprm.families"
    )
    path: Given | None = None
    hub: HubRef | None = None
    engines: Engines
    dtype: Literal["float32", "bfloat16"]
    pixels: Pixels
    batch_tokens: int = Field(gt=0, description="tokens of one forward batch, a memory bound")
    # excluded from slices: the number of cards is a matter of the machine and reruns nothing
    gpus: int = Field(
        default=0,
        ge=0,
        exclude=True,
        description="cards of one engine, 0: CPU; more than one: split by tensor parallelism",
    )

    @model_validator(mode="before")
    @classmethod
    def _engine_of_each_role(cls, data: Any) -> Any:
        if isinstance(data, dict) and "engine" in data:
            raise ValueError(
                f"engine: {data['engine']} is now said for each role: engines: "
                f"{{policy: {data['engine']}, scorer: transformers}}, without a role that the "
                "model does not have"
            )
        return data

    @model_validator(mode="after")
    def _family_plays(self) -> Self:
        family = FAMILIES[self.family]
        for role in _ROLES:
            engine, able = getattr(self.engines, role), family.engines.get(role, ())
            if engine is None or engine in able:
                continue
            if able:
                raise ValueError(
                    f"engines.{role}: {engine} does not run family {self.family}; say"
                    f" {' or '.join(able)}"
                )
            raise ValueError(
                f"engines.{role}: {engine}, and family {self.family} is no {role}; leave {role}"
                f" out, or use a model of {' or '.join(playing(role))}"
            )
        if self.source == "build" and family.architecture != _BUILT:
            raise ValueError(
                f"source: build writes a checkpoint of {_BUILT}, which family {self.family} does"
                " not read; say source: published"
            )
        return self

    @model_validator(mode="after")
    def _splits(self) -> Self:
        if self.gpus > 1 and self.engines.policy == "transformers":
            raise ValueError(
                f"gpus: {self.gpus}, and engines.policy: transformers runs on one card; say "
                "gpus: 1 or engines: {policy: vllm}"
            )
        return self

    @model_validator(mode="after")
    def _published_from_somewhere(self) -> Self:
        if self.source == "published" and (self.path is None) == (self.hub is None):
            raise ValueError("a published model needs either path or hub")
        return self


class PolicyConfig(Block):
    """A policy: weights, prompts, the layout of its solutions, decoding."""

    model: ModelName
    system_prompt: Prompt | None
    user_prompt: QuestionPrompt
    layout: Literal["tagged", "blank_lines"]
    sampling: Sampling


class PRMConfig(Block):
    """A process reward model: published weights, or one trained by the run."""

    source: Literal["build", "published"]
    base: ModelName = Field(
        description="the model it starts from (build), or the model it is (published)"
    )
    system_prompt: Prompt
    question_prompt: ShownQuestion = Field(
        default="trained",
        description="how it is shown questions: trained, as the conversations of its training"
        " show them; policy, as the policy whose steps it reads is asked (upstream); or the"
        " prompt that it was trained with, where others trained it",
    )
    training: TrainingName | None = Field(
        description="name of a training block; null when published"
    )

    @model_validator(mode="after")
    def _built_by_training(self) -> Self:
        if (self.source == "build") != (self.training is not None):
            raise ValueError("a built PRM names its training block, a published one names none")
        return self
