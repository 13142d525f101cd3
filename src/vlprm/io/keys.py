"""Who a table is: its keys stand in the Parquet file itself and are checked where it is read.

Keys are relative to the run (``dataset``, ``shard``, ``policy``, ``prm``, ``search``, ``judge``),
so two runs of one configuration write the same bytes. ``table``, the record type, is added here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vlprm.config.shards import shard_names
from vlprm.errors import UserError
from vlprm.records import Record

Keys = Mapping[str, str]
"""Name of a key to its value: ``{"dataset": "mathvista", "shard": "000", "policy": "large"}``."""
TABLE = "table"
_METADATA = b"vlprm"
_RERUN = "delete it and rerun the stage that writes it"
_SHOWN = 3


def stamped(schema: pa.Schema, record: type[Record], keys: Keys | None) -> pa.Schema:
    """The schema with a table's keys in its metadata; without them (None) as it is."""
    if keys is None:
        return schema
    text = json.dumps(_whole(record, keys), sort_keys=True)
    return schema.with_metadata({_METADATA: text.encode()})


def keys_of(
    path: Path, record: type[Record], *names: str, maybe: Sequence[str] = (), **expected: str
) -> dict[str, str]:
    """A table's keys, without ``table``: exactly these names, and those given with these values.

    It may also have the keys of ``maybe``, all or none. Raises UserError when the file is missing
    or damaged, when it has no keys (results of an older layout) and when a key is not the one
    expected.
    """
    found = _read(path)
    if any(name in found for name in maybe):
        names = (*names, *maybe)
    free = {name: found[name] for name in names if name in found}
    check(path, record, expected | free, found)
    for name in names:
        if name not in found:
            raise UserError(f"key {name} is absent", where=str(path), cure=_RERUN)
    return {name: value for name, value in found.items() if name != TABLE}


def check(path: Path, record: type[Record], keys: Keys, found: Keys | None = None) -> None:
    """Raise UserError where a file's keys are not exactly these (and its record type)."""
    found = _read(path) if found is None else found
    wanted = _whole(record, keys)
    for name in sorted({*wanted, *found}, key=lambda name: (name != TABLE, name)):
        if found.get(name) != wanted.get(name):
            raise UserError(
                f"key {name} is {_said(found, name)}, expected {_said(wanted, name)}:"
                " a table of another place or run",
                where=str(path),
                cure=_RERUN,
            )


def grid(**axes: str | Iterable[str]) -> list[dict[str, str]]:
    """Keys of all tables of a product: ``grid(policy=("small", "large"), dataset="a")``.

    The first axis turns slowest.
    """
    values = [[axis] if isinstance(axis, str) else list(axis) for axis in axes.values()]
    return [dict(zip(axes, some, strict=True)) for some in product(*values)]


def shards(dataset: str, count: int, **keys: str) -> list[dict[str, str]]:
    """Keys of all shards of one table."""
    return grid(**keys, dataset=dataset, shard=shard_names(count))


class Files:
    """Tables of one type, found by their own keys: the order of the paths says nothing.

    ``wanted``: the keys of every table that there must be. Raises UserError naming the file of a
    doubled or foreign table, or the keys of a missing one.
    """

    def __init__(self, paths: Sequence[Path], record: type[Record], wanted: Iterable[Keys]) -> None:
        self._wanted = [dict(keys) for keys in wanted]
        places = {_place(keys): None for keys in self._wanted}
        found: dict[frozenset[tuple[str, str]], Path] = {}
        for path in paths:
            own = _read(path)
            place = _place({name: value for name, value in own.items() if name != TABLE})
            if own[TABLE] != record.__name__ or place not in places:
                raise self._foreign(path, record, own)
            if place in found:
                raise UserError(
                    f"a second table of {_named(dict(place))}",
                    where=f"{path} and {found[place]}",
                    cure="give each table once; of a copied file, delete the copy and rerun",
                )
            found[place] = path
        missing = [_named(keys) for keys in self._wanted if _place(keys) not in found]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise UserError(
                f"{len(missing)} missing: {'; '.join(missing[:_SHOWN])}{more}",
                where=f"tables of {record.__name__}",
                cure="rerun the stage that writes them, and give all shards",
            )
        self._found = found

    def of(self, **keys: str) -> list[Path]:
        """The files that have these keys, in the order of ``wanted``."""
        return [
            self._found[_place(one)]
            for one in self._wanted
            if all(one.get(name) == value for name, value in keys.items())
        ]

    def _foreign(self, path: Path, record: type[Record], own: Keys) -> UserError:
        if own[TABLE] == record.__name__ and self._wanted:
            for name in sorted({*own, *self._wanted[0]} - {TABLE}):
                values = list(dict.fromkeys(_said(keys, name) for keys in self._wanted))
                if _said(own, name) not in values:
                    more = f" or {len(values) - _SHOWN} others" if len(values) > _SHOWN else ""
                    expected = f"{' or '.join(values[:_SHOWN])}{more}"
                    break
            else:
                name, expected = "set", "one of this run's"
                own = {"set": _named({k: v for k, v in own.items() if k != TABLE})}
        else:
            name = TABLE
            expected = repr(record.__name__) if self._wanted else "no table at all"
        return UserError(
            f"key {name} is {_said(own, name)}, expected {expected}:"
            " a table of another place or run",
            where=str(path),
            cure="leave it out, or delete it and rerun the stage that writes it",
        )


def _whole(record: type[Record], keys: Keys) -> dict[str, str]:
    return {**keys, TABLE: record.__name__}


def _place(keys: Keys) -> frozenset[tuple[str, str]]:
    return frozenset(keys.items())


def _named(keys: Keys) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(keys.items()))


def _said(keys: Keys, name: str) -> str:
    return repr(keys[name]) if name in keys else "absent"


def _read(path: Path) -> dict[str, str]:
    with readable(path), pq.ParquetFile(path) as file:
        text = (file.metadata.metadata or {}).get(_METADATA)
    try:
        found = json.loads(text) if text else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get(TABLE), str):
        raise UserError(
            "the table has no keys: results of an older layout",
            where=str(path),
            cure="remove the results folder (or name another run in the configuration) and rerun",
        )
    return {str(name): str(value) for name, value in found.items()}


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise UserError when a Parquet file is missing or damaged."""
    if not path.exists():
        raise UserError("no such file", where=str(path), cure="rerun the stage that writes it")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"not a readable Parquet file ({error})", where=str(path), cure=_RERUN
        ) from error
