"""Rows of JSON: one object a line, or one list of objects read item by item."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from vlprm.errors import UserError
from vlprm.importing.files import empty, opened
from vlprm.importing.values import DEEPEST, cleaned

_CHUNK = 1 << 20
"""Characters of a JSON list read at once."""
_BLANK = re.compile(r"[ \t\n\r]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of a surrogate, half of a pair or not."""
DECODER = json.JSONDecoder(
    # NaN is no JSON, but what pandas writes for a cell without a value
    parse_constant=lambda name: None if name == "NaN" else float(name)
)


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line number from 1, object)``; blank lines are passed over.

    Raises UserError for a missing file, a malformed line, a line that is not an object, or a
    file without any.
    """
    found = False
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                found = True
                yield number, _object(line, f"{path}:{number}")
    if not found:
        raise empty(path)


def read_objects(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list (``.json``) or of JSON lines, in order.

    Raises UserError as ``read_jsonl`` does, naming the item of a list.
    """
    if path.suffix != ".json":
        yield from (row for _, row in read_jsonl(path))
        return
    with opened(path) as file:
        for number, row in enumerate(_items(file, path)):
            if not isinstance(row, dict):
                raise UserError(
                    f"item {number} is not an object", where=str(path), cure="write objects only"
                )
            yield row


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
                found, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as stopped:
                error, end = stopped, len(self._text)
            except (ValueError, RecursionError) as stopped:  # more text would not help
                raise self.malformed(_said(stopped), self._at) from stopped
            if end == len(self._text) and self._more(size):  # it may go on
                size *= 2
            elif error is not None:
                raise self.malformed(error.msg, error.pos) from error
            else:
                try:
                    found = _checked(found, self._text[self._at : end])
                except ValueError as stopped:
                    raise self.malformed(_said(stopped)) from stopped
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
        row = _checked(DECODER.decode(line), line)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"malformed JSON line ({_said(error)})",
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


def _checked(value: Any, written: str) -> Any:
    """A decoded value, looked through where its text may hold what no table can.

    Raises ValueError where it is nested too deep.
    """
    if written.count("[") + written.count("{") > DEEPEST or _HALF.search(written):
        return cleaned(value)
    return value


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    if isinstance(error, RecursionError):
        return "lists or objects nested too deep"
    return str(error).partition(";")[0]  # Python goes on about its own settings
