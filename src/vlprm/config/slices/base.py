"""What ``base`` is told."""

from __future__ import annotations

from vlprm.config.base_model import BaseModelConfig
from vlprm.config.block import Block
from vlprm.config.run import Config


class BaseSlice(Block):
    """Train a mini base model."""

    base_model: BaseModelConfig


def of(config: Config, model: str) -> BaseSlice:
    """The slice of one mini base model."""
    return BaseSlice(base_model=config.base_models[model])
