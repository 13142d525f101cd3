"""Data sets: training sources and benchmarks, generated or imported, cut into shards."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block
from vlprm.config.matrix import MatrixSpec
from vlprm.config.models import HubRef


class MatrixData(Block):
    """Puzzles ``start`` to ``start + n - 1`` of our own generator under one seed."""

    kind: Literal["matrix"]
    spec: MatrixSpec
    seed: int
    n: int = Field(gt=0)
    shard_size: int = Field(gt=0)


class FileData(Block):
    """Rows of real files, in the format of one importer.

    ``path`` is a folder or file; with ``hub`` it lies inside the fetched repository.
    """

    kind: Literal[
        "vqav2", "ai2d", "clevr", "dvqa", "infovqa", "raven",
        "puzzlevqa", "algopuzzlevqa", "mathvista", "mathvision", "mmmu",
    ]  # fmt: skip
    path: str
    hub: HubRef | None = None
    first: int | None = Field(
        default=None, gt=0, description="first rows of each type (published subsets: 50)"
    )
    n: int = Field(gt=0, description="questions; rows beyond are left out")
    shard_size: int = Field(gt=0)


DataConfig = MatrixData | FileData


class SourceConfig(Block):
    """A training source: its questions and how many rollouts each gets."""

    data: DataConfig = Field(discriminator="kind")
    rollouts: int = Field(gt=0, description="rollouts a question")


class PublishedEntries(Block):
    """Hand-overs taken from published artefacts instead of being built (paths), if any."""

    rollouts: str | None
    verdicts: str | None
    examples: str | None

    @model_validator(mode="after")
    def _one_entry(self) -> Self:
        given = [name for name, path in self if path is not None]
        if len(given) > 1:
            raise ValueError(f"enter at one hand-over only, not at {' and '.join(given)}")
        return self
