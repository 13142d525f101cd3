"""The leak check: do questions or images of the benchmarks stand among the sources?"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.config.named import Distinct, Text

LeakKind = Literal["pixels", "near", "question", "question_and_image"]


class LeakCheck(Block):
    """Every source against every benchmark of the evaluation."""

    tolerance: int | None = Field(
        ge=0,
        lt=256,
        description="grey levels by which a cell of a near image may differ; null: "
        "near images are not looked for",
    )
    ignore: Distinct[Text] = Field(
        default=(),
        description="phrases that are no part of a question, such as a corpus's own "
        "instruction to answer in one word",
    )
    drop: Distinct[LeakKind] = Field(
        default=(), description="hits of these kinds are left out of the training conversations"
    )

    @model_validator(mode="after")
    def _looked_for(self) -> Self:
        if "near" in self.drop and self.tolerance is None:
            raise ValueError("drop names near, and tolerance is null; give one, or leave near out")
        return self
