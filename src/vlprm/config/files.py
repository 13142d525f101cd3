"""Files that a configuration names by path and that must be there before the jobs that read them.

Read from the content as it stands, so that they are told with whatever else is wrong. What comes
from the Hub is fetched by the run; a DeepSpeed file is part of the checkout and is checked with
the keys (``vlprm.config.named``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vlprm.config.across import at, table
from vlprm.config.reader import Loc


@dataclass(frozen=True)
class NamedFile:
    """A file or folder, and the key that names it."""

    path: str
    key: str
    """As it is told: ``benchmarks.mmmu``."""
    loc: Loc
    """Of the path itself."""
    origin: str | None = None
    """Where the file is found, where the configuration says so."""


def named_files(data: object) -> Iterator[NamedFile]:
    """Every such file of a configuration's content, whether or not the rest of it is right."""
    published = {
        name: given
        for name, source in table(data, "sources").items()
        if (given := table(source, "published"))
    }
    for kind in ("sources", "benchmarks"):
        for name, item in table(data, kind).items():
            path, hub = at(item, "data", "path"), at(item, "data", "hub")
            if isinstance(path, str) and hub is None and name not in published:
                origin = at(item, "data", "origin")
                loc = (kind, name, "data", "path")
                yield NamedFile(path, f"{kind}.{name}", loc, str(origin) if origin else None)
    for name, given in published.items():
        for key, path in given.items():
            if isinstance(path, str):
                keys = ("sources", name, "published", key)
                yield NamedFile(path, ".".join(keys), keys)
    examples = at(data, "labels", "examples", "published")
    if isinstance(examples, str):
        yield NamedFile(examples, "labels.examples.published", ("labels", "examples", "published"))
    for name, model in table(data, "models").items():
        path = at(model, "path")
        if at(model, "source") == "published" and isinstance(path, str):
            place = ("models", name, "path")
            yield NamedFile(f"{path}/model.safetensors", f"models.{name}", place)
