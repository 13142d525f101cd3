"""PRM training: every number of the recipe (published values in config.yaml)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vlprm.config.block import Block


class PRMTrainingConfig(Block):
    """One training recipe."""

    learning_rate: float = Field(gt=0)
    schedule: Literal["cosine", "linear", "constant"]
    warmup_ratio: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    betas: tuple[float, float]
    max_grad_norm: float = Field(gt=0)
    epochs: int = Field(gt=0)
    micro_batch: int = Field(gt=0, description="conversations a device and forward")
    accumulation: int = Field(gt=0)
    seed: int
    tune_vision: bool = Field(description="false freezes the vision tower and its merger")
    label_positions: Literal["assistant_turns", "token_scan"] = Field(
        description="loss on the answers only, or on every + and - of the text (as published)"
    )
    gradient_checkpointing: bool
    deepspeed: str | None = Field(description="path of a DeepSpeed configuration, if any")
