"""Records to Parquet and back; the Arrow schema is derived from the record type.

The bytes are a function of the records alone: one row group layout, zstd, no timestamps. Tables
of any size are written and read in constant memory: ``write`` takes a generator, ``iterate``
reads batch after batch, ``Rows`` decodes what is asked for, ``ByKey`` joins, and ``frame`` reads
columns where the whole is needed.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, overload

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from vlprm.errors import UserError
from vlprm.io.atomic import atomic_path
from vlprm.io.keys import Keys, check, readable, stamped
from vlprm.records import PRMExample, Record, Rollout, Sample, Verdict

R = TypeVar("R", bound=Record)
BATCH = 1024
"""Records built at once, where a table is written or read as a stream."""
_OF_TEXTS = (Sample, Rollout, Verdict, PRMExample)
_ONE_GROUP, _SMALL = 16384, 128
"""A table of texts of up to so many rows is one row group; a longer one has small ones, so that
a single record costs no more than 128 rows decoded (0.8 ms)."""
_LARGEST = 1 << 20
"""Rows of a row group of other tables (pyarrow's own default)."""
_CACHE = 96 << 20
"""Bytes of decoded row groups that ``Rows`` keeps."""
_AHEAD = 256  # rows that ByKey decodes at a time
_SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def arrow_type(annotation: Any) -> pa.DataType:
    """The Arrow type of a record field's annotation."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return arrow_type(args[0])
    if origin in (typing.Union, types.UnionType):
        return arrow_type(next(a for a in args if a is not type(None)))
    if origin is tuple:
        return pa.list_(arrow_type(args[0]))
    if origin is Literal:
        return arrow_type(type(args[0]))
    if issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return pa.struct([(name, arrow_type(field.annotation)) for name, field in fields])
    if issubclass(annotation, StrEnum):
        return pa.string()
    return _SCALARS[annotation]


@cache
def schema_of(record: type[Record]) -> pa.Schema:
    """The Arrow schema of a record type."""
    fields = record.model_fields.items()
    return pa.schema([(name, arrow_type(field.annotation)) for name, field in fields])


def write(records: Iterable[R], path: Path, record: type[R], *, keys: Keys | None = None) -> int:
    """Write records to one Parquet file, atomically; returns the number of rows.

    ``records`` may be a generator: no more than one row group of them is in memory, as Arrow
    columns. ``keys``: who the table is (``io.keys``); None only for files that no stage reads.
    Raises UserError when the disk is full or not writable.
    """
    schema = stamped(schema_of(record), record, keys)
    rows = 0
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", compression_level=3) as writer,
    ):
        for group in _groups(iter(records), record, schema):
            writer.write_table(group, row_group_size=_LARGEST)
            rows += group.num_rows
    return rows


def _groups(records: Iterator[R], record: type[R], schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups as one table each; a table without rows is one group without rows."""
    first, size = (_ONE_GROUP, _SMALL) if issubclass(record, _OF_TEXTS) else (_LARGEST, _LARGEST)
    ahead = _arrow(islice(records, first), schema)
    more = next(records, None)
    if more is None:
        yield ahead
        return
    for start in range(0, ahead.num_rows, size):
        yield ahead.slice(start, size)
    del ahead
    records = chain([more], records)
    while (group := _arrow(islice(records, size), schema)).num_rows:
        yield group


def _arrow(records: Iterable[R], schema: pa.Schema) -> pa.Table:
    """Records as one table of single chunks; the Python objects of a batch at a time."""
    records = iter(records)
    parts = []
    while batch := [item.model_dump(mode="json") for item in islice(records, BATCH)]:
        parts.append(pa.RecordBatch.from_pylist(batch, schema=schema))
    return pa.Table.from_batches(parts, schema=schema).combine_chunks()


def read(path: Path, record: type[R], *, keys: Keys | None = None) -> list[R]:
    """Read and check every record of one Parquet file.

    Raises UserError when the file is missing, damaged, holds another record type or has other
    keys than these (None: keys are not looked at).
    """
    return list(iterate([path], record, keys=keys))


def read_many(paths: Sequence[Path], record: type[R]) -> list[R]:
    """Read several files (the shards of one table), in the order given."""
    return list(iterate(paths, record))


def iterate(
    paths: Iterable[Path], record: type[R], batch: int = BATCH, *, keys: Keys | None = None
) -> Iterator[R]:
    """Read and check the records of several files in order, ``batch`` of them in memory.

    Raises UserError as ``read`` does.
    """
    for path in paths:
        if keys is not None:
            check(path, record, keys)
        number = 0
        with readable(path), pq.ParquetFile(path) as file:
            parts = file.iter_batches(batch_size=batch, use_threads=False)
            while (part := next(parts, None)) is not None:
                for row in part.to_pylist():
                    yield _record(row, number, path, record)
                    number += 1


class Rows(Sequence[R]):
    """The records of one or several files, decoded when asked for.

    Keeps the row groups read last, in Arrow columns, up to 96 MiB. Forked workers may share one
    (each has its own cache from then on), and so may threads. Raises UserError as ``read`` does.
    """

    def __init__(self, paths: Path | Sequence[Path], record: type[R]) -> None:
        self._record = record
        self._paths = [paths] if isinstance(paths, Path) else list(paths)
        self._footers = []
        self._groups: list[tuple[int, int, int]] = []  # file, group, row of the file it begins at
        sizes = [0]
        for number, path in enumerate(self._paths):
            with readable(path), pq.ParquetFile(path) as file:
                footer = file.metadata
            rows = 0
            for group in range(footer.num_row_groups):
                self._groups.append((number, group, rows))
                sizes.append(footer.row_group(group).num_rows)
                rows += sizes[-1]
            self._footers.append(footer)
        self._starts = np.array(list(accumulate(sizes)))
        self._kept: tuple[tuple[int, int, pa.Table], ...] = ()  # group, bytes, rows

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._between(start, stop)
            return [self[place] for place in range(start, stop, step)]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._between(place, place + 1)[0]

    def _between(self, start: int, stop: int) -> list[R]:
        found: list[R] = []
        while start < stop:
            at = int(np.searchsorted(self._starts, start, side="right")) - 1
            number, _, before = self._groups[at]
            first = start - int(self._starts[at])
            rows = self._decoded(at).slice(first, stop - start).to_pylist()
            found += [
                _record(row, before + first + place, self._paths[number], self._record)
                for place, row in enumerate(rows)
            ]
            start += len(rows)
        return found

    def _decoded(self, at: int) -> pa.Table:
        for group, _, table in self._kept:
            if group == at:
                return table
        number, group, _ = self._groups[at]
        path = self._paths[number]
        with readable(path), pq.ParquetFile(path, metadata=self._footers[number]) as file:
            table = file.read_row_group(group, use_threads=False)
        kept = [*self._kept, (at, table.nbytes, table)]
        while len(kept) > 1 and sum(size for _, size, _ in kept) > _CACHE:
            del kept[0]
        self._kept = tuple(kept)  # replaced as a whole: threads need no lock
        return table


class ByKey(Mapping[str, list[R]]):
    """Records by one of their keys (``rollout_id``), in file order; decoded when asked for.

    Only keys and places are kept in memory, and the next rows while keys come in file order.
    """

    def __init__(
        self, paths: Sequence[Path], record: type[R], key: str, *, keys: Keys | None = None
    ) -> None:
        self._rows = Rows(paths, record)
        self._places: dict[str, tuple[range, ...]] = {}
        self._ahead: tuple[int, int, list[R]] = (0, 0, [])  # first, where the last run ended, rows
        start = 0
        runs = frame(paths, record, [key], keys=keys)[key].rle().struct.unnest()
        for length, name in runs.iter_rows():
            self._places[name] = (*self._places.get(name, ()), range(start, start + length))
            start += length

    def __getitem__(self, key: str) -> list[R]:
        return [item for run in self._places[key] for item in self._run(run.start, run.stop)]

    def _run(self, start: int, stop: int) -> list[R]:
        first, ended, rows = self._ahead
        if not first <= start <= stop <= first + len(rows):
            more = max(stop, start + _AHEAD) if start == ended else stop
            first, rows = start, self._rows[start:more]
        self._ahead = first, stop, rows  # replaced as a whole: threads need no lock
        return rows[start - first : stop - first]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def frame(
    paths: Sequence[Path],
    record: type[Record],
    columns: Sequence[str] | None = None,
    *,
    keys: Keys | None = None,
) -> pl.DataFrame:
    """Columns of several files as one frame, in order.

    A nested column is named by its path in the file: ``steps.list.element.index``. Nothing but
    these columns is read; their types are checked, not their values. Raises UserError as
    ``read`` does.
    """
    schema = schema_of(record)
    names = list(dict.fromkeys(name.partition(".")[0] for name in columns or schema.names))
    parts = []
    for path in paths:
        if keys is not None:
            check(path, record, keys)
        with readable(path), pq.ParquetFile(path) as file:
            here = file.schema_arrow
            if any(n not in here.names or here.field(n) != schema.field(n) for n in names):
                raise UserError(
                    f"not a table of {record.__name__} of this version",
                    where=str(path),
                    cure="rebuild the file with this version of the package",
                )
            parts.append(file.read(columns, use_threads=False).replace_schema_metadata())
    found = pl.from_arrow(pa.concat_tables(parts or [schema.empty_table().select(names)]))
    assert isinstance(found, pl.DataFrame)
    return found


def _record(row: dict[str, Any], number: int, path: Path, record: type[R]) -> R:
    try:
        return record.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or record.__name__
        raise UserError(
            f"row {number} is not a {record.__name__}: {key}: {first['msg']}",
            where=str(path),
            cure="rebuild the file with this version of the package",
        ) from error
