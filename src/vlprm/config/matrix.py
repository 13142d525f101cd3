"""Settings of our RAVEN-style matrix generator."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.config.named import Distinct, Some

Attribute = Literal["number", "size", "colour", "shape"]
Rule = Literal["constant", "progression", "arithmetic", "distribute-three"]


class MatrixSpec(Block):
    """A family of 3×3 matrices whose ninth cell is missing.

    ``attributes`` vary from cell to cell, each under one row rule of ``rules``; the others stay
    fixed and are not named in solutions. ``holdout`` colour-shape pairs (colour index, shape
    index) appear in no cell of the ``seen`` split and in the answer of every ``unseen`` one.
    """

    attributes: Some[Attribute]
    rules: Some[Rule]
    holdout: Distinct[tuple[int, int]]
    split: Literal["seen", "unseen"]
    cell: int = Field(ge=14, description="side of a cell in pixels")
    jitter: float = Field(ge=0, le=0.2, description="of position and size, share of a cell")
    noise: float = Field(ge=0, le=64, description="standard deviation of pixel noise, 0-255")
    panel: bool = Field(description="show eight lettered answers (A-H) and ask for the letter")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.split == "unseen" and not self.holdout:
            raise ValueError("the unseen split needs holdout pairs")
        if self.holdout and not {"colour", "shape"} <= set(self.attributes):
            raise ValueError("holdout pairs need the attributes colour and shape")
        return self
