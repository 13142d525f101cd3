"""A ledger on disk: an append-only file of checksummed entries, safe against a kill at any byte.

Layout: the line ``vlprm ledger 1``, a line with the stage's name, then entries. An entry is the
mark ``next``, the length of its body, its key (16 bytes), a digest of key and body (16 bytes), and
the body, zlib-compressed. An entry counts once its last byte is on disk. What a kill leaves behind
the last whole entry is cut when the file is opened.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import struct
import zlib
from io import FileIO
from pathlib import Path

from vlprm.errors import UserError
from vlprm.io.atomic import explained

log = logging.getLogger(__name__)
SUFFIX = ".ledger"
KEY_BYTES = 16
_TITLE = b"vlprm ledger 1\n"
_MARK = b"next"
_HEAD = struct.Struct(f">4sI{KEY_BYTES}s16s")
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Some network file systems lock nothing."""


def ledger_of(output: Path) -> Path:
    """Where the ledger of an output lies (the first, for a stage with several)."""
    return output.with_name(output.name + SUFFIX)


def is_complete(output: Path) -> bool:
    """Is the output there, with the manifest that is written after it?"""
    return output.is_file() and output.with_name(output.name + ".manifest.json").is_file()


def delete_complete(folder: Path) -> tuple[int, int]:
    """Delete the ledgers whose outputs are complete; number and bytes of what is deleted.

    Raises UserError when the folder is not there.
    """
    if not folder.is_dir():
        raise UserError("no such folder", where=str(folder), cure="name a run's results folder")
    found = [
        path
        for path in sorted(folder.rglob(f"*{SUFFIX}"))
        if is_complete(path.with_name(path.name.removesuffix(SUFFIX)))
    ]
    size = sum(path.stat().st_size for path in found)
    for path in found:
        path.unlink()
    return len(found), size


def answered(path: Path) -> frozenset[bytes]:
    """Keys of a ledger's whole entries, read beside a job that may be writing it.

    Nothing is locked, cut or refused: what cannot be read is not answered.
    """
    found: set[bytes] = set()
    if path.exists():
        with path.open("rb") as file:
            file.readline()
            file.readline()
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                mark, length, key, digest = _HEAD.unpack(head)
                if mark != _MARK or _digest(key, file.read(length)) != digest:
                    break
                found.add(key)
    return frozenset(found)


class LedgerFile:
    """Replies by key. One process at a time; created with its first entry.

    Raises UserError when the file is no ledger, one of another stage, damaged before its end, or in
    use by another process. In none of these cases a byte of it is changed.
    """

    def __init__(self, path: Path, stage: str) -> None:
        self.path = path
        self._head = _TITLE + stage.encode() + b"\n"
        self._places: dict[bytes, tuple[int, int]] = {}
        self._file: FileIO | None = None
        if path.exists():
            self._file = self._opened()
            try:
                self._scan(self._file)
            except BaseException:
                self.close()
                raise

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def get(self, key: bytes) -> bytes | None:
        """The body of an entry; None when the key was never answered."""
        if self._file is None or key not in self._places:
            return None
        place, length = self._places[key]
        self._file.seek(place)
        return zlib.decompress(_read(self._file, length))

    def append(self, key: bytes, body: bytes) -> None:
        """Add an entry; when this returns it is on disk.

        Raises UserError when the disk is full or not writable; ValueError for a key that is there.
        """
        if key in self._places:
            raise ValueError(f"{self.path}: {key.hex()} is answered already")
        packed = zlib.compress(body)
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._opened()
                _write(self._file, self._head)
            start = self._file.seek(0, os.SEEK_END)
            head = _HEAD.pack(_MARK, len(packed), key, _digest(key, packed))
            _write(self._file, head + packed)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise explained(error, self.path) from error
        self._places[key] = (start + _HEAD.size, len(packed))

    def close(self) -> None:
        """Close the file and give up its lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> FileIO:
        file: FileIO | None = None
        try:
            file = self.path.open("r+b" if self.path.exists() else "w+b", buffering=0)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if file is not None and error.errno in _NO_LOCKS:
                return file
            if file is not None:
                file.close()
            if isinstance(error, BlockingIOError):
                raise UserError(
                    "another process writes this ledger",
                    where=str(self.path),
                    cure="wait for the job that makes the same output, or end it, then rerun",
                ) from error
            raise explained(error, self.path) from error
        return file

    def _scan(self, file: FileIO) -> None:
        """Find all entries; cut a torn one off the end."""
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(len(self._head))
        if head != self._head:
            if not self._head.startswith(head):
                raise self._foreign(head + file.read(80))
            self._cut(file, 0, size)
            _write(file, self._head)
            return
        place = len(head)
        while place < size:
            found = file.read(_HEAD.size)
            if len(found) < _HEAD.size:
                break
            mark, length, key, digest = _HEAD.unpack(found)
            end = place + _HEAD.size + length
            body = _read(file, length) if mark == _MARK and end <= size else b""
            if mark != _MARK or (end < size and _digest(key, body) != digest):
                raise self._damaged(place)
            if end > size or _digest(key, body) != digest:
                break
            self._places[key] = (place + _HEAD.size, length)
            place = end
        if place < size:
            self._cut(file, place, size)

    def _cut(self, file: FileIO, place: int, size: int) -> None:
        log.warning(
            "%s: the last %d bytes are an entry that was never finished: cut",
            self.path,
            size - place,
        )
        file.truncate(place)
        file.seek(place)

    def _foreign(self, start: bytes) -> UserError:
        words = start.split(b"\n")
        if start.startswith(_TITLE) and len(words) > 1:
            said = f"this is the ledger of stage {words[1].decode(errors='replace')}"
        elif start.startswith(b"vlprm ledger "):
            said = f"this ledger has another layout ({words[0].decode(errors='replace')})"
        else:
            said = "this is no reply ledger"
        stage = self._head.split(b"\n")[1].decode()
        return UserError(
            f"{said}; stage {stage} keeps its replies here",
            where=str(self.path),
            cure="move the file away, then rerun; nothing of it was changed",
        )

    def _damaged(self, place: int) -> UserError:
        return UserError(
            f"damaged at byte {place}, behind {len(self)} whole entries",
            where=str(self.path),
            cure="restore the file; or move it away and all is asked again; or keep what is whole:"
            f" truncate -s {place} {self.path}",
        )


def _write(file: FileIO, data: bytes) -> None:
    """All of it; a disk that fills up may take a part first."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _read(file: FileIO, length: int) -> bytes:
    """So many bytes; fewer at the end of the file alone."""
    parts = []
    while length and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _digest(key: bytes, body: bytes) -> bytes:
    return hashlib.sha256(key + body).digest()[:16]
