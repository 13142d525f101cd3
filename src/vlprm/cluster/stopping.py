"""The processes of a job: started, and ended so that nothing half-written counts as done.

A scheduler that ends a job signals all of its processes. The Snakemake inside the job may outlive
the jobscript's shell. Where the rule traps the signal and exits 0, it records the rule as finished.
So it goes first, and the rule's outputs go with it, as after every failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

GRACE = 8.0
"""Seconds for a rule's processes to end by themselves; OpenPBS itself gives 10, Slurm 30."""
_PR_SET_CHILD_SUBREAPER = 36


class Processes:
    """A jobscript's shell and everything below it, orphans included."""

    def __init__(self, jobscript: Path) -> None:
        self._others = below({os.getpid()})  # agents on further nodes
        # processes whose parent ends become children of this one, so they are found
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._shell = subprocess.Popen(["/bin/sh", str(jobscript)], stdin=subprocess.DEVNULL)

    def wait(self) -> int:
        """Wait for the shell: its exit status, negative for the signal that killed it."""
        return self._shell.wait()

    def stop_bookkeeping(self) -> None:
        """Kill every Snakemake of the job, then the shell; what the rule started is left alone."""
        for process in self._rest():
            if _is_snakemake(process):
                _kill(process)
        self._shell.kill()

    def finish(self, patience: float = GRACE) -> None:
        """Wait this many seconds until nothing of the job runs any more; then kill it."""
        deadline = time.monotonic() + patience
        while self._rest():
            if time.monotonic() > deadline:
                for process in self._rest():
                    _kill(process)
                return
            time.sleep(0.1)

    def _rest(self) -> set[int]:
        return below({os.getpid()}) - self._others - {self._shell.pid}


def remove(outputs: Iterable[str]) -> None:
    """Remove what a rule has written, as Snakemake does after a failure."""
    for output in outputs:
        path = Path(output)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def below(roots: set[int]) -> set[int]:
    """Every living process below these, by the parents in /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # PID (NAME) STATE PPID ...; a name may hold brackets and spaces
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    while True:
        more = {pid for pid, parent in parents.items() if parent in roots | found} - found
        if not more:
            return found
        found |= more


def _is_snakemake(process: int) -> bool:
    """``python -m snakemake ...`` or ``python .../bin/snakemake ...``."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(Path(os.fsdecode(word)).name == "snakemake" for word in words[:4])


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGKILL)
