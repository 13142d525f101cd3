"""What ``data_versions`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.data import DataConfig, MatrixData
from vlprm.config.run import Config


class DataFacts(Block):
    """What the configuration says of one data set."""

    name: str
    role: str
    """``source`` or ``benchmark``."""
    kind: str
    questions: int
    path: str | None
    """Of the files, inside the repository if there is one; None: generated."""
    repo: str | None
    revision: str | None
    repo_type: str | None
    origin: str | None
    version: str | None
    licence: str | None
    recipe: str | None
    """Settings of a generator, as JSON."""


class DataVersionsSlice(Block):
    """List every data set with its version."""

    data: tuple[DataFacts, ...]


def of(config: Config) -> DataVersionsSlice:
    """The slice of the table of data versions: sources first."""
    return DataVersionsSlice(
        data=tuple(
            _facts(name, "source" if name in config.sources else "benchmark", data)
            for name, data in config.data.items()
        )
    )


def _facts(name: str, role: str, data: DataConfig) -> DataFacts:
    if isinstance(data, MatrixData):
        return DataFacts(
            name=name, role=role, kind=data.kind, questions=data.n, path=None, repo=None,
            revision=None, repo_type=None, origin=None, version=None, licence=None,
            recipe=data.model_dump_json(include={"spec", "seed", "n"}),
        )  # fmt: skip
    hub = data.hub
    return DataFacts(
        name=name,
        role=role,
        kind=data.kind,
        questions=data.n,
        path=data.path,
        repo=hub.repo if hub else None,
        revision=hub.revision if hub else None,
        repo_type=hub.repo_type if hub else None,
        origin=data.origin,
        version=data.version,
        licence=data.licence,
        recipe=None,
    )
