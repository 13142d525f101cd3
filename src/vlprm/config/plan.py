"""The plan of a run: shards of each data set and the path of every hand-over.

Paths are relative to the checkout. A shard is a fixed block of rows, so a question added to a
source changes that source's last shard and no other.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from itertools import islice
from pathlib import Path

from vlprm.config.benchmarks import GradingConfig
from vlprm.config.data import DataConfig, MatrixData
from vlprm.config.run import Config
from vlprm.config.slices import GradeSlice, PrepareSlice

ABSENT = "resources/absent"
"""Listings that no rule can write: a data set's files are not there (rule ``absent`` says so)."""


class Plan:
    """Where everything of one run lies."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.root = f"results/{config.run}"
        self.logs = f"logs/{config.run}"

    @cached_property
    def data(self) -> dict[str, DataConfig]:
        """Every data set by name, sources and benchmarks alike."""
        sources = {name: source.data for name, source in self.config.sources.items()}
        return sources | {name: item.data for name, item in self.config.benchmarks.items()}

    def shards(self, dataset: str) -> list[str]:
        """Shard names: ``000``, ``001``, ..."""
        data = self.data[dataset]
        return [f"{number:03d}" for number in range(-(-data.n // data.shard_size))]

    def prepare(self, dataset: str, shard: str) -> PrepareSlice:
        """The slice of one shard, with the digest of its raw rows if they are at hand."""
        data = self.data[dataset]
        start = int(shard) * data.shard_size
        stop = min(start + data.shard_size, data.n)
        # n as this shard sees it: a longer data set leaves earlier shards alone
        own = data.model_copy(update={"n": stop})
        return PrepareSlice(
            dataset=dataset,
            data=own,
            start=start,
            stop=stop,
            rows_sha256=_rows_sha256(data, start, stop),
        )

    def raw(self, dataset: str) -> list[str]:
        """Files that must be there before a data set can be prepared."""
        data = self.data[dataset]
        if isinstance(data, MatrixData):
            return []
        if data.hub:
            return [f"resources/data/{dataset}/fetch.json"]
        return [data.path] if Path(data.path).exists() else [f"{ABSENT}/{dataset}.json"]

    def fetched(self) -> list[str]:
        """Listings of everything that comes from the Hub: models, then data sets."""
        models = [name for name, item in self.config.models.items() if item.hub]
        data = [
            name
            for name, item in self.data.items()
            if not isinstance(item, MatrixData) and item.hub
        ]
        return [
            *(f"resources/models/{name}/fetch.json" for name in models),
            *(f"resources/data/{name}/fetch.json" for name in data),
        ]

    @cached_property
    def published(self) -> list[str]:
        """Sources whose rollouts, estimates and verdicts are published files."""
        return [name for name, item in self.config.sources.items() if item.published]

    def examples(self) -> str:
        """The PRM's training conversations."""
        given = self.config.labels.examples.published
        return f"{given}/examples.parquet" if given else f"{self.root}/examples/examples.parquet"

    def example_images(self) -> list[str]:
        """The packs of their images."""
        given = self.config.labels.examples.published
        if given:
            return [f"{given}/images.parquet"]
        return [path for name in self.config.sources for path in self.tables("images", name)]

    def grade(self, dataset: str) -> GradeSlice:
        """The slice of the grading stage."""
        item = self.config.benchmarks.get(dataset)
        version = item.scorer_version if item else 1
        grading = item.grading if item else GradingConfig()
        return GradeSlice(kind=self.data[dataset].kind, scorer_version=version, grading=grading)

    def model(self, name: str) -> str:
        """The file whose presence means that a model's weights are there."""
        model = self.config.models[name]
        if model.source == "build":
            return f"{self.root}/base/{name}/model.safetensors"
        return (
            f"resources/models/{name}/fetch.json"
            if model.path is None
            else f"{model.path}/model.safetensors"
        )

    def prm(self, name: str) -> str:
        """The file whose presence means that a PRM's weights are there."""
        prm = self.config.prms[name]
        if prm.source == "published":
            return self.model(prm.base)
        return f"{self.root}/prm/{name}/model.safetensors"

    def image(self, role: str) -> str:
        """``cpu`` or ``gpu``, the image of a rule; ``cpu`` for all where no model wants a GPU."""
        return role if any(model.gpus for model in self.config.models.values()) else "cpu"

    def table(self, kind: str, *keys: str) -> str:
        """The path of one shard of a table: ``table("rollouts", policy, dataset, shard)``."""
        return f"{self.root}/{kind}/{'/'.join(keys)}.parquet"

    def tables(self, kind: str, *keys: str) -> list[str]:
        """All shards of a table; the last key is the data set."""
        return [self.table(kind, *keys, shard) for shard in self.shards(keys[-1])]


def _rows_sha256(data: DataConfig, start: int, stop: int) -> str | None:
    """Digest of the raw lines of a shard: None for generated data and for a folder of files."""
    if isinstance(data, MatrixData) or data.hub is not None or not Path(data.path).is_file():
        return None
    with Path(data.path).open("rb") as lines:
        digest = hashlib.sha256()
        for line in islice((line for line in lines if line.strip()), start, stop):
            digest.update(line.rstrip(b"\r\n") + b"\n")
    return digest.hexdigest()
