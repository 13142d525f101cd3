"""Values of a row: what must be there and of which type, and what counts as nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from vlprm.errors import UserError

T = TypeVar("T")
DEEPEST = 64
"""Lists in lists that a row may hold: no data set nests ten, and Python stops at a thousand."""
_HALF = re.compile("[\ud800-\udfff]")


class TooDeepError(ValueError):
    """A value is nested deeper than ``DEEPEST``."""


def field(row: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    """A value that must be there and of one type.

    Raises UserError that names file, row and field.
    """
    value = row.get(name)
    if isinstance(value, kind):
        return value
    raise _unfit(row, name, kind.__name__, where)


def text(row: Mapping[str, Any], name: str, where: str) -> str:
    """A text that must be there and not blank; a whole number stands for its digits.

    Raises UserError that names file, row and field.
    """
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    raise _unfit(row, name, "text", where)


def optional(row: Mapping[str, Any], name: str, where: str) -> str | None:
    """A text that may be missing or null.

    Raises UserError that names file, row and field of anything else.
    """
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _unfit(row, name, "text or nothing", where)


def cleaned(value: Any, depth: int = 0) -> Any:
    """A value without NaN (null) and halves of surrogate pairs (U+FFFD), however nested.

    Raises TooDeepError.
    """
    if depth > DEEPEST:
        raise TooDeepError(f"lists or objects nested more than {DEEPEST} deep")
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub("\ufffd", value)
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, list | tuple):
        return [cleaned(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(item, depth + 1) for name, item in value.items()}
    return value


def _unfit(row: Mapping[str, Any], name: str, expected: str, where: str) -> UserError:
    found = f"field {name!r} is {row[name]!r:.40}" if name in row else f"no field {name!r}"
    return UserError(f"{found}; expected {expected}", where=where, cure="correct the row")
