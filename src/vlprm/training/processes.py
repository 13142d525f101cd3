"""Several processes train one PRM (torchrun); one of them writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vlprm.io.atomic import atomic_folder


def first_process() -> bool:
    """Whether this process writes: the first of those that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def own_gpu() -> str:
    """The GPU of this process: torchrun starts one process a GPU."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def checkpoint_folder(folder: Path, last: str) -> AbstractContextManager[Path]:
    """``io.atomic.atomic_folder`` for the first process; the others write into nothing."""
    return atomic_folder(folder, last) if first_process() else _thrown_away()


@contextmanager
def _thrown_away() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)
