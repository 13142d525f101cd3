"""``vlprm-cluster-status ID``: one word, ``running``, ``success`` or ``failed``, always.

*failed* needs evidence: the job's own exit status, or a scheduler that answers that it ended. An
absent server, a slow file system and a confused answer all mean *running*, to be asked again later.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from vlprm.cluster import endings, pbs_or_slurm
from vlprm.cluster.dialects import deletion, run
from vlprm.cluster.qstat import ENDED, QUEUED, UNKNOWN, Seen
from vlprm.cluster.registry import Job, Registry, short

FRESH = 20.0
"""Seconds for which the sidecar's last look is good enough."""
MARKER_PATIENCE = 60.0
"""Seconds to wait for the marker of an ended job on a slow shared file system."""
QUEUED_PATIENCE = 15.0
"""The same for a job that left no marker of its start either; its folders are read anew."""
NEVER_PATIENCE = 600.0
"""Seconds for which a server must repeat that a job can never run."""
MAY_COME_BACK = ("NODE_FAIL", "PREEMPTED", "BOOT_FAIL")
"""Ends that Slurm shows for a moment before it requeues the job."""


def main() -> int:
    """Print the word. Always exits 0: Snakemake ends the whole workflow otherwise."""
    # Ctrl-C reaches this process too; killed by it, it would crash Snakemake's executor
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    word = "running"
    try:
        word = status(Registry(), sys.argv[1])
    except Exception as error:
        sys.stderr.write(f"vlprm-cluster-status: {error!r}; taken for running\n")
    sys.stdout.write(word + "\n")
    return 0


def status(registry: Registry, job_id: str) -> str:
    """``running``, ``success`` or ``failed``; the reason of a failure is kept in ``failures/``."""
    job = registry.job(job_id)
    if job is None:
        raise LookupError(f"job {job_id} was not submitted from here")
    job = registry.latest(job)
    ended = registry.final(job)
    if ended is not None:
        if ended["exit"] == 0:
            return "success"
        return _ended_badly(registry, job, _ask(registry, job), ended)
    if registry.read("cancelled", job.ticket):
        return "running"  # its run is ending, and its end is no failure to report
    seen = _look(registry, job)
    if seen is None:
        return "running"
    if seen.state == QUEUED and (never := endings.never_runs(seen)):
        return _never(registry, job, f"never ran: {never}")
    if seen.state not in (ENDED, UNKNOWN):
        _forget(registry, job)
        return "running"
    if seen.exit == 0:
        return "success"
    return _without_marker(registry, job, seen)


def _without_marker(registry: Registry, job: Job, seen: Seen) -> str:
    """The server says that it is over, the job has not said how: wait for the marker first."""
    fresh = _ask(registry, job)
    if fresh is None or fresh.state not in (ENDED, UNKNOWN):
        return "running"
    seen = fresh
    patience = float(os.environ.get("VLPRM_MARKER_PATIENCE") or MARKER_PATIENCE)
    never_started = registry.read_anew("started", job) is None
    if never_started:
        patience = min(patience, QUEUED_PATIENCE)
    surely = registry.ended(job) is not None or seen.exit not in (None, 0)
    surely = surely or seen.word not in ("", "COMPLETED")
    surely = surely or (never_started and endings.deleted_in_queue(seen))
    surely = surely and seen.word not in MAY_COME_BACK
    if not surely and time.time() - _since(registry, "missing", job) < patience:
        return "running"
    ended = registry.ended(job)
    if (ended and ended["exit"] == 0) or seen.exit == 0:
        return "success"
    if seen.state == UNKNOWN and ended is None:
        why = (
            "deleted before it ran: the scheduler does not know it any more"
            if never_started
            else "lost: the scheduler does not know it any more, and it left no exit status"
        )
        return _failed(registry, job, why)
    return _ended_badly(registry, job, seen, ended)


def _never(registry: Registry, job: Job, why: str) -> str:
    patience = float(os.environ.get("VLPRM_NEVER_PATIENCE") or NEVER_PATIENCE)
    if time.time() - _since(registry, "never", job) < patience:
        return "running"
    run(deletion(job.dialect, [registry.id_of(job)]))
    return _failed(registry, job, why)


def _since(registry: Registry, kind: str, job: Job) -> float:
    """When this was first seen for the job; if it is new, now is remembered."""
    fact = registry.read(kind, job.ticket)
    if fact is None:
        fact = {"time": time.time()}
        registry.write(kind, job.ticket, fact)
    return float(fact["time"])


def _forget(registry: Registry, job: Job) -> None:
    for kind in ("missing", "never"):
        registry.path(kind, job.ticket).unlink(missing_ok=True)


def _ended_badly(
    registry: Registry, job: Job, seen: Seen | None, ended: dict[str, Any] | None
) -> str:
    why, kind = endings.reason(job, seen, ended), endings.ran_out(job, seen, ended)
    return _failed(registry, job, why, kind)


def _failed(registry: Registry, job: Job, why: str, kind: str = "") -> str:
    registry.fail(job, why, time.time(), kind)
    sys.stderr.write(f"job {job.id} ({job.name}): {why}\n")
    return "failed"


def _look(registry: Registry, job: Job) -> Seen | None:
    """The sidecar's last look while it is fresh, otherwise a query of our own."""
    number = short(registry.id_of(job))
    for state in sorted(registry.root.glob("runs/*.state.json")):
        try:
            if time.time() - state.stat().st_mtime > FRESH:
                continue
            jobs = json.loads(state.read_text(encoding="utf-8"))["jobs"]
        except (OSError, ValueError, KeyError):
            continue
        if number in jobs:
            return Seen(**jobs[number])
    return _ask(registry, job)


def _ask(registry: Registry, job: Job) -> Seen | None:
    number = registry.id_of(job)
    return pbs_or_slurm.query(job.dialect, [number]).get(short(number))


def state_file(registry: Registry, run_name: str) -> Path:
    """Where a run's sidecar keeps its last look at the queue."""
    return registry.path("runs", run_name, ".state.json")


if __name__ == "__main__":
    sys.exit(main())
