"""Rows of published files: JSON lines, tab-separated values, Parquet; each with its place.

Read strictly and as a stream: a malformed row is an error that names file and row.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from vlprm.errors import UserError

T = TypeVar("T")
_CELL_LIMIT = 2**31 - 1
"""Characters of a TSV cell: images come as base64, and csv's own limit is 128 KiB."""
_BATCH = 32
_CHUNK = 1 << 20
"""Characters of a JSON list read at once."""
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line number from 1, object)``; blank lines are passed over.

    Raises UserError for a missing file, a malformed line, a line that is not an object, or a
    file without any.
    """
    number, found = 0, False
    with _open(path) as lines:
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    found = True
                    yield number, _object(line, f"{path}:{number}")
        except UnicodeDecodeError as error:
            raise _not_text(path, number + 1) from error
    if not found:
        raise empty(path)


def read_objects(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list (``.json``) or of JSON lines, in order.

    Raises UserError as ``read_jsonl`` does, naming the item of a list.
    """
    if path.suffix != ".json":
        yield from (row for _, row in read_jsonl(path))
        return
    with _open(path) as file:
        for number, row in enumerate(_items(file, path)):
            if not isinstance(row, dict):
                raise UserError(
                    f"item {number} is not an object", where=str(path), cure="write objects only"
                )
            yield row


def read_tsv(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield ``(line number where the row ends, cells by column name)``.

    Raises UserError for a missing file, a row with more or fewer cells than the header, or a
    file without rows.
    """
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        with _open(path) as lines:
            reader, number = csv.DictReader(lines, delimiter="\t"), 0
            try:
                for number, row in enumerate(reader, start=1):
                    if None in row or None in row.values():
                        raise UserError(
                            f"row {number} has not as many cells as the header",
                            where=f"{path}:{reader.line_num}",
                            cure="fetch the file again; it may be cut off",
                        )
                    yield reader.line_num, row
            except UnicodeDecodeError as error:
                raise _not_text(path, reader.line_num + 1) from error
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
    if not path.exists():
        raise _missing(path)
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield number, row
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"not a readable Parquet file ({error})", where=str(path), cure="fetch the file again"
        ) from error
    if number == 0:
        raise empty(path)


def files(root: Path, *patterns: str) -> list[Path]:
    """``root`` itself if it is a file, else the files of the first pattern that matches any.

    Raises UserError when there is no such folder or nothing matches.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise _missing(root)
    for pattern in patterns:
        found = sorted(root.glob(pattern))
        if found:
            return found
    raise UserError(
        f"no file matches {' or '.join(patterns)}",
        where=str(root),
        cure="check the path in the config, or fetch the data set",
    )


def field(row: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    """A value that must be there and of one type.

    Raises UserError that names file, row and field.
    """
    value = row.get(name)
    if isinstance(value, kind):
        return value
    what = f"no field {name!r}" if name not in row else f"field {name!r} is {value!r:.40}"
    raise UserError(f"{what}; expected {kind.__name__}", where=where, cure="correct the row")


def empty(path: Path) -> UserError:
    """The error of a data set without rows."""
    return UserError("no rows", where=str(path), cure="fetch the data set again")


class _Text:
    """The text of a file from a moving place on: what was read is dropped."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at = "", 0
        self._line, self._column = 1, 0

    def next(self) -> str:
        """The next character that is not blank, without taking it; "" at the end."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(_CHUNK):
                return ""

    def skip(self) -> None:
        """Take one character."""
        self._at += 1

    def value(self) -> Any:
        """The JSON value that begins here."""
        size = _CHUNK
        while True:
            error = None
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as stopped:
                error, end = stopped, len(self._text)
            if end == len(self._text) and self._more(size):  # it may go on
                size *= 2
            elif error is not None:
                raise self.malformed(error.msg, error.pos) from error
            else:
                self._at = end
                return found

    def malformed(self, said: str, at: int | None = None) -> UserError:
        """The error that names line and column."""
        before = self._text[: self._at if at is None else at]
        breaks = before.count("\n")
        column = len(before) - before.rfind("\n") - 1 + (0 if breaks else self._column)
        return UserError(
            f"malformed JSON ({said}, column {column + 1})",
            where=f"{self._path}:{self._line + breaks}",
            cure="write one JSON list of objects",
        )

    def _more(self, size: int) -> bool:
        new = self._file.read(size)
        if new:
            gone = self._text[: self._at]
            last = gone.rfind("\n")
            self._line += gone.count("\n")
            self._column = len(gone) - last - 1 + (self._column if last < 0 else 0)
            self._text, self._at = self._text[self._at :] + new, 0
        return bool(new)


def _items(file: TextIO, path: Path) -> Iterator[Any]:
    """The items of a JSON list one after another: the whole of it may not fit in memory."""
    text = _Text(file, path)
    if text.next() != "[":
        text.value()
        raise UserError("not a JSON list", where=str(path), cure="write one JSON list of objects")
    text.skip()
    more = text.next() != "]"
    while more:
        text.next()
        yield text.value()
        mark = text.next()
        if mark not in (",", "]"):
            raise text.malformed("Expecting ',' delimiter")
        more = mark == ","
        if more:
            text.skip()
    text.skip()
    if text.next():
        raise text.malformed("Extra data")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(
            f"malformed JSON line ({error.msg}, column {error.colno})",
            where=where,
            cure="write one JSON object a line",
        ) from error
    if not isinstance(row, dict):
        raise UserError(
            f"expected an object, found {type(row).__name__}",
            where=where,
            cure='write one JSON object a line, such as {"question": ...}',
        )
    return row


def _open(path: Path) -> Any:
    if not path.is_file():
        raise _missing(path)
    return path.open(encoding="utf-8", newline="" if path.suffix == ".tsv" else None)


def _missing(path: Path) -> UserError:
    return UserError("no such file", where=str(path), cure="check the path in the config")


def _not_text(path: Path, line: int) -> UserError:
    return UserError("not UTF-8 text", where=f"{path}:{line}", cure="fetch the file again")
