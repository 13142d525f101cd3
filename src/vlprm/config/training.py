"""PRM training: every number of the recipe (published values in config.yaml)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vlprm.config.block import Block
from vlprm.config.named import DeepSpeedFile

WORKER_MB = 1500
"""Host memory of a data worker: libraries, tokenizer, decoded rows and images of a few batches."""
PROCESS_MB = 6000
"""Host memory of a training process beside its weights: libraries, CUDA, one piece of its state."""


class EveryLayer(Block):
    """Gradient checkpointing of every ``every``-th decoder layer, the first one included."""

    every: int = Field(ge=2)


Beta = Annotated[float, Field(ge=0, lt=1)]
CARDS = 8
"""Of the published training: its batch of 64 is 2 conversations x 4 accumulated x 8 cards."""


def _off(value: object) -> bool:
    return value is False


def _all(value: object) -> bool:
    return value is None


def _published(value: object) -> bool:
    return value == CARDS


class PRMTrainingConfig(Block):
    """One training recipe."""

    learning_rate: float = Field(gt=0)
    schedule: Literal["cosine", "linear", "constant"]
    warmup_ratio: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    betas: tuple[Beta, Beta]
    max_grad_norm: float = Field(gt=0)
    epochs: int = Field(gt=0)
    micro_batch: int = Field(gt=0, description="conversations per device and forward")
    accumulation: int = Field(gt=0)
    seed: int = Field(ge=0)
    tune_vision: bool = Field(description="false freezes the vision tower and its merger")
    label_positions: Literal["assistant_turns", "token_scan"] = Field(
        description="loss on the answers only, or on every + and - of the text (as published)"
    )
    gradient_checkpointing: bool | EveryLayer = Field(
        description="recompute activations: of all layers, of none, or of every k-th ({every: k})"
    )
    deepspeed: DeepSpeedFile | None = Field(description="path of a DeepSpeed configuration, if any")
    cards: int = Field(
        default=CARDS,
        ge=1,
        exclude_if=_published,
        description="processes on GPUs, one per card, each with its micro batch; on a CPU one",
    )
    # absent from slices where they are off: a recipe that does not use them reruns nothing
    questions: int | None = Field(
        default=None,
        gt=0,
        exclude_if=_all,
        description="train on the conversations of so many questions, drawn by the recipe's seed "
        "(fewer lie within more, for a curve over the size); null: all",
    )
    group_by_length: bool = Field(
        default=False,
        exclude_if=_off,
        description="conversations of like length stand in one batch. Length tells the label, so "
        "a step of one such batch teaches little: accumulate several, or leave it off",
    )
    compile: bool = Field(
        default=False, exclude_if=_off, description="torch.compile the decoder layers (GPU)"
    )
    # excluded from slices: neither changes a byte of the result
    save_minutes: float = Field(
        default=30, ge=0, exclude=True, description="how often the state is saved, to go on from"
    )
    workers: int = Field(
        default=0, ge=0, exclude=True, description="processes per GPU that read and prepare batches"
    )


def host_mb(training: PRMTrainingConfig, processes: int, weights_gb: float) -> int:
    """Host memory of a node on which ``processes`` train a checkpoint of this size (MB, 1e6 bytes).

    Every process reads the weights into host memory before it moves them to its GPU, and the first
    holds them once more when it saves.
    """
    each = PROCESS_MB + training.workers * WORKER_MB + weights_gb * 1000
    return int(processes * each + weights_gb * 1000)
