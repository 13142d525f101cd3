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
    errno.EPERM: "make the folder writable, or choose another results folder",
    errno.EISDIR: "a folder stands where the file is to be: move it away, or name another file",
    errno.ENOTDIR: "a file stands where a folder is to be: move it away, or name another folder",
    errno.EEXIST: "a file stands where a folder is to be: move it away, or name another folder",
    errno.ENAMETOOLONG: "give shorter names",
    errno.ELOOP: "a link points at itself: remove it, or name another file",
}


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place when the block succeeds.

    Raises UserError when the disk is full, over quota or not writable; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
    except FileNotFoundError as error:  # as in /proc, where no folder can be made
        cure = "name a file in a folder that can be made"
        what = f"could not write: {error.strerror}"
        raise UserError(what, where=str(path), cure=cure) from error
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


def remove_left_over(path: Path) -> None:
    """Remove temporaries that killed writers of a file left; for the one process that writes it."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: Path, last: str) -> Iterator[Path]:
    """Yield an empty scratch folder inside ``folder``; move its files up when the block succeeds.

    This is for checkpoints, whose files a library writes. ``last`` is moved after all others, so
    its presence means complete. Subfolders are dropped. Raises UserError when the disk is full,
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
    """A UserError where the cause is the disk or its permissions, otherwise the error itself."""
    number = getattr(error, "errno", None)
    if number is None:  # safetensors reports the number in words: "... (os error 28)"
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else 0
    cure = _CURES.get(number)
    if cure is None:
        return error
    return UserError(f"could not write: {os.strerror(number)}", where=str(path), cure=cure)
