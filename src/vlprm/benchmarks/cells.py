"""Cells of published rows: options and images, in every form in which they are stored."""

from __future__ import annotations

import ast
import base64
import binascii
import io
import tokenize
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlprm.benchmarks.benchmark import Row
from vlprm.errors import UserError
from vlprm.importing import place_of
from vlprm.importing.json_text import DECODER
from vlprm.importing.values import TooDeepError, cleaned
from vlprm.records import letter

_MOST = 26
"""How many options can have a letter."""
_NOTHING = frozenset({"", "nan", "none", "null", "<na>"})
"""Texts that data frames write into empty cells, in lower case."""
_NAMES_OF_NOTHING = frozenset({"nan", "NaN", "null", "None"})
_PATH_LENGTH = 256
"""A shorter text with a dot names an image file: base64 has no dots."""


def options(value: Any, where: str) -> tuple[str, ...]:
    """The options of a row: a list, or the text of one (Python's or JSON's); none: ``()``.

    null, NaN and empty options at the end come from a table as wide as its widest row and are
    left out. Raises UserError for any other value, for an option that is neither text nor a
    number, and for an empty option before another one, because letters would shift.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return ()
    if isinstance(value, str):
        listed = _listed(value, where)
        if listed is None:
            raise _wrong(f"options are the text {value!r:.60}, not a list", where)
        value = listed
    if not isinstance(value, list | tuple):
        raise _wrong(f"options are {value!r:.60}, not a list", where)
    found = [_item(item, where) for item in value]
    while found and not found[-1]:
        found.pop()
    if "" in found:
        raise _wrong(f"option {letter(found.index(''))} is empty, later ones are not", where)
    if len(found) > _MOST:
        raise _wrong(f"{len(found)} options; there are letters for {_MOST}", where)
    return tuple(found)


def several(text: str, where: str) -> list[str]:
    """The items of a list written as text; anything else is one item.

    Raises UserError for a text in brackets that is no list of texts and numbers.
    """
    listed = _listed(text, where)
    return [text] if listed is None else [_item(item, where) for item in listed]


def picture(value: Any, row: Row) -> Path | bytes | None:
    """The image of a cell: bytes, ``{bytes, path}`` with bytes, base64, or the name of a file.

    None for a cell without image. Raises UserError for a file that is not there, for text that
    is no base64, and for another value.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes")
    if value is None or isinstance(value, bytes):
        return value or None
    if not isinstance(value, str):
        raise _wrong(f"the image is {value!r:.40}, neither bytes nor a file", row.where)
    if len(value) < _PATH_LENGTH and "." in value:
        return image_path(row, value)
    try:
        return base64.b64decode(value, validate=True) or None
    except (binascii.Error, ValueError) as error:
        raise UserError(
            f"image is not base64 ({error})", where=row.where, cure="fetch the data set again"
        ) from error


def image_path(row: Row, name: str) -> Path:
    """The image file a row names.

    Raises UserError when it is not there, or lies outside the data set's folder.
    """
    found, folder = place_of(row.folder / name), place_of(row.folder)
    if found is not None and folder is not None and not found.is_relative_to(folder):
        raise UserError(
            f"image path {name!r:.120} leads out of the data set",
            where=row.where,
            cure="name a file in the folder of the rows",
        )
    if found is None or not found.is_file():
        raise UserError(
            f"no such image: {name!r:.120}",
            where=row.where,
            cure="check the data folder, or fetch it again",
        )
    return row.folder / name


def _item(value: Any, where: str) -> str:
    """An option as text, "" for none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _wrong(f"answer or option {value!r:.40} is neither text nor a number", where)


def _listed(text: str, where: str) -> list[Any] | None:
    """The items of a list written as text; None for a text without brackets around it."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        return list(cleaned(DECODER.decode(text)))
    except TooDeepError as error:
        raise _wrong(f"{error}: {text:.60}", where) from error
    except (ValueError, RecursionError):
        pass
    try:
        return list(cleaned(_python_list(text)))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise _wrong(f"not a list: {text!r:.60}", where) from error


def _python_list(text: str) -> list[Any]:
    """The value of a list display of constants; raises what ``ast`` raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\\p" is no escape: Python keeps both characters
        display = ast.parse(text, mode="eval").body
    if not isinstance(display, ast.List) or _runs_together(text):
        raise ValueError("not a list of constants")
    nothing = [isinstance(n, ast.Name) and n.id in _NAMES_OF_NOTHING for n in display.elts]
    pairs = zip(display.elts, nothing, strict=True)
    return [None if empty else ast.literal_eval(node) for node, empty in pairs]


def _runs_together(text: str) -> bool:
    """Texts without a comma between them, as numpy prints an array: Python would join them."""
    before = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.STRING == before:
                return True
            before = before if token.type == tokenize.NL else token.type
    except tokenize.TokenError as error:
        raise ValueError(str(error)) from error
    return False


def _wrong(what: str, where: str) -> UserError:
    return UserError(what, where=where, cure='correct the row: options are a list, ["24", "36"]')
