"""``vlprm-cluster-sidecar``: one look at the queue for all jobs, and the cleaning at the end.

Snakemake starts it first and reads one line: the file that lists the run's jobs. Every few seconds
the sidecar asks the scheduler about all of them at once, so hundreds of status commands cost one
query. When Snakemake ends (also by Ctrl-C, whose own cancelling misses jobs), it deletes what is
left. When Snakemake was *killed*, it leaves the jobs alone: the next run takes them over.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path

from vlprm.cluster import pbs_or_slurm
from vlprm.cluster.cancel import cancel
from vlprm.cluster.registry import Job, Registry, short, write_whole
from vlprm.cluster.status import state_file

POLL = 5.0
BEAT = 0.5


def main() -> int:
    """Serve the Snakemake that started this process until it ends."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    parent = os.getppid()
    registry = Registry()
    run_name = f"{socket.gethostname().split('.')[0]}-{parent}-{time.time_ns() // 1_000_000:x}"
    ids = registry.path("runs", run_name, ".ids")
    ids.parent.mkdir(parents=True, exist_ok=True)
    ids.touch()
    sys.stdout.write(f"{ids}\n")
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)  # out of reach of Ctrl-C on the terminal
    if _serve(registry, run_name, parent):
        cancel(registry, registry.ids_of(run_name), patience=120)
    state_file(registry, run_name).unlink(missing_ok=True)
    return 0


def _serve(registry: Registry, run_name: str, parent: int) -> bool:
    """Look at the queue until Snakemake ends; True when it ended itself, False when killed.

    A SIGTERM from another sender means that the login node goes down, not that the run ends.
    """
    every = float(os.environ.get("VLPRM_POLL_SECONDS") or POLL)
    due, over = time.monotonic(), set[str]()
    while True:
        told = signal.sigtimedwait({signal.SIGTERM}, BEAT)
        if told is not None:
            return told.si_pid == parent
        if os.getppid() != parent:
            return False
        if time.monotonic() >= due:
            with contextlib.suppress(Exception):  # disk or server has a bad moment: try next time
                look(registry, run_name, over)
            due = time.monotonic() + every


def look(registry: Registry, run_name: str, over: set[str]) -> None:
    """Ask once about every job of the run that has not ended, and keep the answers.

    ``over`` remembers ids that need no more attention, so their files are read once.
    """
    wanted: dict[str, list[str]] = {}
    followed: list[Job] = []
    for job_id in registry.ids_of(run_name):
        job = registry.job(job_id) if job_id not in over else None
        if job is None:
            continue
        job = registry.latest(job)
        if registry.final(job) or registry.read("failures", job.ticket):
            over.add(job_id)
        else:
            followed.append(job)
            wanted.setdefault(job.dialect, []).append(registry.id_of(job))
    jobs = {
        short(job_id): asdict(seen)
        for dialect, ids in wanted.items()
        for job_id, seen in pbs_or_slurm.query(dialect, ids).items()
    }
    # a log without a folder is lost, and PBS keeps its job ending for half a minute
    for folder in {Path(job.log).parent for job in followed if job.log}:
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(state_file(registry, run_name), json.dumps({"time": time.time(), "jobs": jobs}))


if __name__ == "__main__":
    sys.exit(main())
