"""Data sets: training sources and benchmarks, generated or imported, cut into shards."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from vlprm.config.block import Block, later
from vlprm.config.matrix import MatrixSpec
from vlprm.config.models import HubRef
from vlprm.config.named import Given, Text
from vlprm.kinds import SOURCES, FileKind


class MatrixData(Block):
    """Puzzles ``start`` to ``start + n - 1`` of our own generator under one seed."""

    kind: Literal["matrix"]
    spec: MatrixSpec
    seed: int = Field(ge=0)
    n: int = Field(gt=0)
    shard_size: int = Field(gt=0)


class RowSampling(Block):
    """Which rows of a corpus are its questions, as the published corpora were drawn: the first row
    of each image or question, then ``size`` of these without replacement, in the order drawn
    (specification, data 1.1 and 1.3)."""

    unique: Literal["image", "question"] | None = Field(
        description="the first row of each stays; null: all rows"
    )
    seed: int = Field(ge=0, description="published: 42")
    size: int = Field(gt=0)


class FileData(Block):
    """Rows of real files, in the format of one importer.

    ``path`` is a folder or file; with ``hub`` it lies inside the fetched repository.
    """

    kind: FileKind
    path: Given
    hub: HubRef | None = None
    origin: Text | None = Field(default=None, description="where a file that is not there is found")
    first: int | None = Field(
        default=None, gt=0, description="first rows of each type (published subsets: 50)"
    )
    n: int = Field(gt=0, description="questions; rows beyond are left out")
    shard_size: int = Field(gt=0)
    sampling: RowSampling | None = later(None, "draw rows; null: the file's rows in their order")
    # excluded from slices: what is said of the data changes none of it
    version: Text | None = Field(
        default=None, exclude=True, description="its release, for the table of data versions"
    )
    licence: Text | None = Field(default=None, exclude=True, description="for the same table")

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        if self.sampling is None:
            return self
        if self.kind not in SOURCES:
            raise ValueError(f"sampling is of training sources, and {self.kind} is a benchmark")
        if self.first is not None:
            raise ValueError("first and sampling are both given; a corpus is drawn one way")
        if self.n > self.sampling.size:
            raise ValueError(f"n ({self.n}) is more than sampling.size ({self.sampling.size})")
        return self


DataConfig = MatrixData | FileData


class PublishedRun(Block):
    """Published rollouts of a source with their estimates, and what a judge said of them.

    The formats of the released pipeline (JSON lines; specification: data 2.5 and 3.2). With them
    a source enters the workflow at the labels: nothing is drawn, estimated or judged.
    """

    rollouts: Given
    requests: Given = Field(description="what the judge was asked: joins results to rollouts")
    results: Given


class SourceConfig(Block):
    """A training source: its questions and how many rollouts each gets."""

    data: DataConfig = Field(discriminator="kind")
    rollouts: int = Field(gt=0, description="rollouts per question")
    published: PublishedRun | None = Field(
        default=None, description="take rollouts, estimates and verdicts from here; null: build"
    )

    @model_validator(mode="after")
    def _in_one_piece(self) -> Self:
        if self.published is not None and self.data.shard_size < self.data.n:
            raise ValueError("a published run is one shard: set shard_size to n")
        return self
