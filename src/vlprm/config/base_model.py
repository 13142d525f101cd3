"""Settings of the mini base models: architecture, data, schedule."""

from __future__ import annotations

from pydantic import Field

from vlprm.config.block import Block
from vlprm.config.matrix import MatrixSpec
from vlprm.config.named import QuestionPrompt


class TowerConfig(Block):
    """Width, depth and heads of one transformer."""

    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    mlp: int = Field(gt=0)


class BaseModelConfig(Block):
    """A small Qwen2.5-VL trained from a seed on generated puzzles."""

    text: TowerConfig
    key_value_heads: int = Field(gt=0)
    vision: TowerConfig
    puzzles: MatrixSpec
    user_prompt: QuestionPrompt
    puzzle_seed: int = Field(ge=0)
    n_puzzles: int = Field(gt=0, description="distinct training puzzles")
    claims: float = Field(
        ge=0, lt=1, description="share of puzzles asked about in yes/no questions"
    )
    n_held_out: int = Field(gt=0, description="unseen puzzles of the closing evaluation")
    seed: int = Field(ge=0, description="of initial weights and batch order")
    batch: int = Field(gt=0)
    steps: int = Field(gt=0)
    cycle_steps: int = Field(gt=0, description="length of the one-cycle schedule, cut at steps")
    warmup: float = Field(gt=0, lt=1, description="rising share of the cycle")
    learning_rate: float = Field(gt=0)
    initial_std: float = Field(gt=0, description="of the random weights")
    weight_decay: float = Field(ge=0)
