"""Records to Parquet and back; the Arrow schema is derived from the record type.

The bytes are a function of the records alone: one row group layout, zstd, no timestamps.
"""

from __future__ import annotations

import types
import typing
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, overload

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from vlprm.errors import UserError
from vlprm.io.atomic import atomic_path
from vlprm.records import Record

R = TypeVar("R", bound=Record)
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


def write(records: Iterable[R], path: Path, record: type[R]) -> int:
    """Write records to one Parquet file, atomically; returns the number of rows."""
    rows = [item.model_dump(mode="json") for item in records]
    table = pa.Table.from_pylist(rows, schema=schema_of(record))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=3)
    return len(rows)


def read(path: Path, record: type[R]) -> list[R]:
    """Read and check every record of one Parquet file.

    Raises UserError when the file is missing, damaged or holds another record type.
    """
    if not path.exists():
        raise UserError("no such file", where=str(path), cure="rerun the stage that writes it")
    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"not a readable Parquet file ({error})",
            where=str(path),
            cure="delete it and rerun the stage that writes it",
        ) from error
    records: list[R] = []
    for number, row in enumerate(rows):
        try:
            records.append(record.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or record.__name__
            raise UserError(
                f"row {number} is not a {record.__name__}: {key}: {first['msg']}",
                where=str(path),
                cure="rebuild the file with this version of the package",
            ) from error
    return records


class Rows(Sequence[R]):
    """The records of one file, decoded when asked for; the row group read last is kept."""

    def __init__(self, path: Path, record: type[R]) -> None:
        self._path, self._record = path, record
        with pq.ParquetFile(path) as file:
            footer = file.metadata
        sizes = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
        self._ends = list(accumulate(sizes))
        self._kept: tuple[int, pa.Table] | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...
    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        group = bisect_right(self._ends, at)
        if self._kept is None or self._kept[0] != group:
            with pq.ParquetFile(self._path) as file:
                self._kept = (group, file.read_row_group(group, use_threads=False))
        table = self._kept[1]
        row = table.slice(at - self._ends[group] + table.num_rows, 1).to_pylist()[0]
        return self._record.model_validate(row)


def read_many(paths: Sequence[Path], record: type[R]) -> list[R]:
    """Read several files (the shards of one table), in the order given."""
    return [item for path in paths for item in read(path, record)]
