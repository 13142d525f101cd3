"""The GPUs of this machine, where jobs that need them run on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from vlprm.preflight.commands import answer, last_line
from vlprm.preflight.finding import Finding, failure, ok
from vlprm.preflight.machine import Machine

_QUERY = "--query-gpu=name,driver_version,memory.total"
_CURE = "run on a node with GPUs or through a cluster profile, or give models gpus: 0"


def memory_of_cards(machine: Machine) -> list[int]:
    """Bytes of each of this machine's cards, if jobs run on it and the driver says; else none."""
    if machine.executor != "local" or shutil.which("nvidia-smi") is None:
        return []
    status, printed, _ = answer(
        "nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"
    )
    sizes = [line.strip() for line in printed.splitlines()]
    return [] if status else [int(size) * 2**20 for size in sizes if size.isdigit()]


def check_gpu(machine: Machine, gpus: int) -> Iterator[Finding]:
    """The driver answers, and there are as many GPUs as the largest job asks for."""
    if machine.executor != "local":
        return
    if not gpus:
        yield ok("GPU", "none needed")
        return
    if shutil.which("nvidia-smi") is None:
        yield failure(
            "GPU", f"no GPU driver here (no nvidia-smi), and models ask for {gpus}", _CURE
        )
        return
    status, printed, error = answer("nvidia-smi", _QUERY, "--format=csv,noheader")
    cards = [line.strip() for line in printed.splitlines() if line.strip()]
    if status:
        said = last_line(error or printed)
        yield failure(
            "GPU", f"nvidia-smi fails: {said}", "reload the driver or choose another node"
        )
    elif len(cards) < gpus:
        yield failure("GPU", f"{len(cards)} here, and a job asks for {gpus}", _CURE)
    else:
        yield ok("GPU", f"{len(cards)} x {cards[0]}")
