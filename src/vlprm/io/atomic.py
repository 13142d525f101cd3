"""Atomic writes: a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
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
        _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: Path, last: str) -> Iterator[Path]:
    """Yield an empty scratch folder inside ``folder``; move its files up when the block succeeds.

    For checkpoints, whose files a library writes: ``last`` is moved after all others, so its
    presence means complete. Subfolders are dropped. Raises UserError when the disk is full,
    over quota or not writable; nothing is left behind.
    """
    scratch = folder / ".unfinished"
    try:
        shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
        scratch.mkdir(parents=True)
        yield scratch
        files = [file for file in scratch.iterdir() if file.is_file()]
        for file in files:
            _sync(file)
        for file in sorted(files, key=lambda file: (file.name == last, file.name)):
            file.replace(folder / file.name)
    except Exception as error:
        raise explained(error, folder / last) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())
    file.chmod(0o644)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with ``\\n`` line ends, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def explained(error: Exception, path: Path) -> Exception:
    """The error as a UserError where its cause is the disk or its rights, else the error itself."""
    number = getattr(error, "errno", None)
    if number is None:  # safetensors reports the number in words: "... (os error 28)"
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else 0
    cure = _CURES.get(number)
    if cure is None:
        return error
    return UserError(f"could not write: {os.strerror(number)}", where=str(path), cure=cure)
