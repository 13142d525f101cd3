"""Rows of tables: tab-separated values and Parquet."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vlprm.errors import UserError
from vlprm.importing.files import empty, missing, opened
from vlprm.importing.values import TooDeepError, cleaned

_CELL_LIMIT = 2**31 - 1
"""Characters of a TSV cell: images come as base64, and csv's own limit is 128 KiB."""
_BATCH = 32


def read_tsv(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield ``(line number where the row ends, cells by column name)``.

    Raises UserError for a missing file, a header without one of ``columns`` or with a name
    twice, a row with more or fewer cells than the header, or a file without rows.
    """
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        with opened(path, newline="") as lines:
            reader, number = csv.DictReader(lines, delimiter="\t"), 0
            try:
                _check_header(reader.fieldnames or (), columns, path)
                start = reader.line_num + 1
                for number, row in enumerate(reader, start=1):
                    if None in row or None in row.values():
                        raise UserError(
                            f"row {number}, from line {start} on, has not as many cells as the "
                            "header",
                            where=f"{path}:{reader.line_num}",
                            cure="fetch the file again: it may be cut off, or a quote left open",
                        )
                    yield reader.line_num, row
                    start = reader.line_num + 1
            except csv.Error as error:
                raise UserError(
                    f"malformed row ({error})",
                    where=f"{path}:{reader.line_num}",
                    cure="fetch the file again",
                ) from error
            if number == 0:
                raise empty(path)
    finally:
        csv.field_size_limit(before)


def read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(row number from 0, values by column name)``, a few rows in memory at a time.

    Raises UserError for a missing or unreadable file, or one without rows.
    """
    number = 0
    try:
        if not path.exists():
            raise missing(path)
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in _values(batch, path, number):
                    yield number, row
                    number += 1
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise UserError(
            f"not a readable Parquet file ({_one_line(error)})",
            where=str(path),
            cure="fetch the file again",
        ) from error
    if number == 0:
        raise empty(path)


def _check_header(names: Sequence[str], columns: tuple[str, ...], path: Path) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    absent = [name for name in columns if name not in names]
    if names and (twice or absent):
        shown = ", ".join(name[:20] for name in names[:20])
        said = f"two columns {twice[0]!r:.40}" if twice else f"no column {absent[0]!r}"
        raise UserError(
            f"{said}; the header's columns are {shown!r}",
            where=f"{path}:1",
            cure="fetch the file again, or name the columns as published",
        )


def _values(batch: pa.RecordBatch, path: Path, first: int) -> list[dict[str, Any]]:
    """The rows of a batch as Python values; one that has none is told with its number."""
    try:
        rows: list[dict[str, Any]] = cleaned(batch.to_pylist())
    except (pa.ArrowException, ValueError, OverflowError):
        for place in range(batch.num_rows):
            try:
                cleaned(batch.slice(place, 1).to_pylist())
            except TooDeepError as error:
                raise _damaged(path, first + place, str(error)) from error
            except (pa.ArrowException, ValueError, OverflowError) as error:
                raise _damaged(path, first + place, _one_line(error)) from error
        raise
    return rows


def _damaged(path: Path, number: int, said: str) -> UserError:
    return UserError(
        f"a value cannot be read ({said})",
        where=f"{path}:{number}",
        cure="fetch the file again, or correct the row",
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
