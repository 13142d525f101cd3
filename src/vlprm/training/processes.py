"""Several processes train one PRM (torchrun); one of them writes."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, distributed

from vlprm.io.atomic import atomic_folder

_PR_SET_PDEATHSIG = 1
"""linux/prctl.h."""


def first_process() -> bool:
    """Whether this process writes: the first of those that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def own_gpu() -> str:
    """The GPU of this process: torchrun starts one process per GPU."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def end_with_launcher() -> None:
    """Have the kernel end this process when its launcher dies (Linux's PR_SET_PDEATHSIG).

    torchrun gives each process a session of its own: killed, it would leave them training, and
    writing, beside the rerun.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def introduce_alone() -> None:
    """Say to a library that asks for its process group that this process is the only one.

    As torchrun would. DeepSpeed 0.16.4 looks for MPI otherwise (comm/comm.py, init_distributed).
    """
    if "RANK" in os.environ:
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def rank() -> int:
    """Number of this process among all; 0 for the only one."""
    return distributed.get_rank() if several() else 0


def count() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if several() else 1


def several() -> bool:
    """Whether processes train together, and can speak to each other by now."""
    return distributed.is_available() and distributed.is_initialized()


def summed(values: Tensor, device: torch.device) -> Tensor:
    """The sum over all processes, on the host."""
    if not several():
        return values
    there = values.to(device)
    distributed.all_reduce(there)
    return there.cpu()


def told_by_first(value: int, device: torch.device) -> int:
    """What the first process says, to all."""
    if not several():
        return value
    there = torch.tensor([value], device=device)
    distributed.broadcast(there, src=0)
    return int(there.item())


def wait_for_all() -> None:
    """Return when every process has come here."""
    if several():
        distributed.barrier()


def checkpoint_folder(folder: Path, last: str) -> AbstractContextManager[Path]:
    """``io.atomic.atomic_folder`` for the first process; the others write into nothing."""
    return atomic_folder(folder, last) if first_process() else _thrown_away()


@contextmanager
def _thrown_away() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)
