"""The plan of a run: shards of each data set and the path of every hand-over.

Paths are relative to the checkout. A shard is a fixed block of rows, so a question added to a
source changes that source's last shard and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product
from pathlib import Path

from vlprm.config.data import MatrixData
from vlprm.config.reader import ConfigFile
from vlprm.config.run import Config
from vlprm.config.shards import shard_names

ABSENT = "resources/absent"
"""Listings that no rule can write: a data set's files are not there (rule ``absent`` says so)."""


class Plan:
    """Where everything of one run lies."""

    def __init__(self, config: Config, file: ConfigFile | None = None) -> None:
        self.config = config
        self.data = config.data
        self.file = file
        """The configuration as read, where messages are to name its lines."""
        self.root = f"results/{config.run}"
        self.logs = f"logs/{config.run}"

    def shards(self, dataset: str) -> list[str]:
        """Shard names: ``000``, ``001``, ..."""
        data = self.data[dataset]
        return shard_names(-(-data.n // data.shard_size))

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

    def container(self, role: str) -> str:
        """A rule's container, ``cpu`` or ``gpu``; ``cpu`` for all where no model wants a GPU."""
        return role if any(model.gpus for model in self.config.models.values()) else "cpu"

    def table(self, kind: str, *keys: str) -> str:
        """The path of one shard of a table: ``table("rollouts", policy, dataset, shard)``."""
        return f"{self.root}/{kind}/{'/'.join(keys)}.parquet"

    def searches(self) -> Iterator[tuple[str, str, str, str]]:
        """Search, PRM, policy and benchmark of every search that the run does."""
        evaluation = self.config.evaluation
        for name, benchmarks in evaluation.searches.items():
            yield from product((name,), evaluation.prms, evaluation.policies, benchmarks)

    def searched(self, suffix: str, *keys: str) -> list[str]:
        """All shards of a search's ``rollouts``, ``scores`` or ``grades``."""
        folder = f"{self.root}/searches/{'/'.join(keys)}"
        return [f"{folder}/{shard}.{suffix}.parquet" for shard in self.shards(keys[-1])]

    def tables(self, kind: str, *keys: str) -> list[str]:
        """All shards of a table; the last key is the data set."""
        return [self.table(kind, *keys, shard) for shard in self.shards(keys[-1])]
