"""Atomic writes: a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vlprm.errors import UserError

_CURES = {
    errno.ENOSPC: "free some space (or point the run's results folder at another disk), then rerun",
    errno.EDQUOT: "your disk quota is used up: free some space, then rerun",
    errno.EACCES: "make the folder writable, or choose another results folder",
    errno.EROFS: "the file system is read-only: choose another results folder",
}


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place when the block succeeds.

    Raises UserError when the disk is full, over quota or not writable; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise explained(error, path) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with ``\\n`` line ends, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def explained(error: OSError, path: Path) -> Exception:
    """The error as a UserError where its cause is the disk or its rights, else the error itself."""
    cure = _CURES.get(error.errno or 0)
    if cure is None:
        return error
    return UserError(
        f"could not write: {os.strerror(error.errno or 0)}", where=str(path), cure=cure
    )
