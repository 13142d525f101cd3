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
    origin: str | None = Field(default=None, description="where a file that is not there is found")
    first: int | None = Field(
        default=None, gt=0, description="first rows of each type (published subsets: 50)"
    )
    n: int = Field(gt=0, description="questions; rows beyond are left out")
    shard_size: int = Field(gt=0)


DataConfig = MatrixData | FileData


class PublishedRun(Block):
    """Published rollouts of a source with their estimates, and what a judge said of them.

    The formats of the released pipeline (JSON lines; specification: data 2.5 and 3.2). With them
    a source enters the workflow at the labels: nothing is drawn, estimated or judged.
    """

    rollouts: str
    requests: str = Field(description="what the judge was asked: joins results to rollouts")
    results: str


class SourceConfig(Block):
    """A training source: its questions and how many rollouts each gets."""

    data: DataConfig = Field(discriminator="kind")
    rollouts: int = Field(gt=0, description="rollouts a question")
    published: PublishedRun | None = Field(
        default=None, description="take rollouts, estimates and verdicts from here; null: build"
    )

    @model_validator(mode="after")
    def _in_one_piece(self) -> Self:
        if self.published is not None and self.data.shard_size < self.data.n:
            raise ValueError("a published run is one shard: set shard_size to n")
        return self
