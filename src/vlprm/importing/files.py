"""Files of rows: found, opened as text, and the errors of those that cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from vlprm.errors import UserError


def files(root: Path, *patterns: str) -> list[Path]:
    """``root`` itself if it is a file, else the files of the first pattern that matches any.

    Raises UserError when there is no such folder or nothing matches.
    """
    with _permitted(root):
        if root.is_file():
            return [root]
        if not root.is_dir():
            raise missing(root)
        for pattern in patterns:
            found = sorted(root.glob(pattern))
            if found:
                return found
    raise UserError(
        f"no file matches {' or '.join(patterns)}",
        where=str(root),
        cure="check the path in the config, or fetch the data set",
    )


def place_of(path: Path) -> Path | None:
    """Where a path that a row names leads, links followed, to a file or to nothing.

    None for a text that can be no path: with a NUL, a name too long, links in a circle.
    """
    try:
        found = path.resolve()
        found.is_file()
    except (OSError, ValueError, RuntimeError):
        return None
    return found


@contextlib.contextmanager
def opened(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """The UTF-8 text of a file, without a byte order mark.

    Raises UserError for a file that is missing or cannot be read, and, where the text is read
    inside the block, for other text: with the first line that is not UTF-8.
    """
    with _permitted(path):
        if not path.is_file():
            raise missing(path)
        try:
            with path.open(encoding="utf-8-sig", newline=newline) as file:
                yield file
        except UnicodeDecodeError as error:
            raise UserError(
                f"not UTF-8 text ({error.reason})",
                where=f"{path}:{_undecodable(path)}",
                cure="save it as UTF-8, or fetch the file again",
            ) from error


def missing(path: Path) -> UserError:
    """The error of a file that is not there."""
    return UserError("no such file", where=str(path), cure="check the path in the config")


def empty(path: Path) -> UserError:
    """The error of a data set without rows."""
    return UserError("no rows", where=str(path), cure="fetch the data set again")


@contextlib.contextmanager
def _permitted(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot be read ({error.strerror or error})",
            where=str(path),
            cure="check the path in the config, and who may read the file",
        ) from error


def _undecodable(path: Path) -> int:
    """The number of the first line that is not UTF-8: decoders read ahead and cannot say."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1
