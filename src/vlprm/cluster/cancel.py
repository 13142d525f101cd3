"""``vlprm-cluster-cancel ID...``: delete jobs, and those they have moved on to.

Snakemake allows this two seconds. A slow server is left to a separate process.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterable

from vlprm.cluster.dialects import deletion
from vlprm.cluster.registry import Registry

PATIENCE = 1.5


def main() -> int:
    """Delete the jobs named on the command line; always exits 0."""
    cancel(Registry(), sys.argv[1:], PATIENCE)
    return 0


def cancel(registry: Registry, ids: Iterable[str], patience: float) -> int:
    """Delete our jobs that have not ended. Returns how many there were.

    The commands continue by themselves after ``patience`` seconds.
    """
    left: dict[str, list[str]] = {}
    for job_id in dict.fromkeys(ids):
        first = registry.job(job_id)
        if first is None:
            continue
        for job in dict.fromkeys(_hops(registry, job_id)):
            known = registry.job(job)
            if known and not registry.final(known):
                # before it is deleted: the next run must not take over a dying job
                registry.write("cancelled", known.ticket, {"time": time.time()})
                left.setdefault(known.dialect, []).append(registry.id_of(known))
    started = []
    for dialect, numbers in left.items():
        for start in range(0, len(numbers), 100):
            with contextlib.suppress(OSError):
                started.append(
                    subprocess.Popen(
                        deletion(dialect, numbers[start : start + 100]),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )
                )
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
    return sum(map(len, left.values()))


def _hops(registry: Registry, job_id: str) -> list[str]:
    ids, job = [job_id], registry.job(job_id)
    while job and (moved := registry.read("moved", job.ticket)) and len(ids) < 100:
        ids.append(str(moved["id"]))
        job = registry.job(ids[-1])
    return ids


if __name__ == "__main__":
    sys.exit(main())
