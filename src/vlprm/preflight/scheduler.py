"""The scheduler: are its commands there, does it answer, does it have the named queues?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from vlprm.preflight.commands import answer, last_line
from vlprm.preflight.finding import Finding, failure, named, ok, warning
from vlprm.preflight.machine import Machine

_PROGRAMS = {
    "pbs": ("qsub", "qstat", "qdel"),
    "slurm": ("sbatch", "squeue", "scancel", "sinfo"),
}
_LOGIN = "run on a login node of the cluster (or load the scheduler's module), or choose a profile"


def check_scheduler(machine: Machine) -> Iterator[Finding]:
    """Commands of the profile's scheduler on PATH, and their server answering."""
    if machine.executor == "local":
        return
    ours = [
        name for name in machine.commands if shutil.which(name) is None and not Path(name).is_file()
    ]
    theirs = [name for name in _PROGRAMS.get(machine.scheduler or "", ()) if not shutil.which(name)]
    if theirs:
        yield failure("scheduler", f"not on PATH: {', '.join(theirs)}", _LOGIN)
    elif ours:
        yield failure(
            "scheduler",
            f"the profile's commands are not on PATH: {', '.join(ours)}",
            "python -m pip install --no-deps -e . (they come with the package)",
        )
    elif machine.scheduler is None:
        yield ok("scheduler", f"{machine.executor}: nothing known to check")
    else:
        yield from _queues(machine)


def _queues(machine: Machine) -> Iterator[Finding]:
    ask = pbs_queues if machine.scheduler == "pbs" else slurm_partitions
    there, trouble = ask()
    if trouble:
        yield failure("scheduler", f"{machine.scheduler} does not answer: {trouble}", _LOGIN)
        return
    yield ok("scheduler", f"{machine.scheduler}, queues {named(sorted(there))}")
    wrong = [name for name in machine.queues if not _known(name, there)]
    closed = [name for name in machine.queues if there.get(name) is False]
    if wrong:
        yield failure(
            "queue",
            f"no such queue: {', '.join(wrong)}",
            f"name one of {named(sorted(there), 12)} in the profile",
        )
    elif closed:
        yield warning(
            "queue", f"takes or starts no jobs now: {', '.join(closed)}", "wait, or name another"
        )
    elif machine.queues:
        yield ok("queue", ", ".join(machine.queues))
    else:
        yield ok("queue", "none named: the scheduler's default")


def _known(name: str, there: dict[str, bool]) -> bool:
    """PBS cuts names at 15 or 16 characters in its list."""
    return name in there or any(len(cut) >= 15 and name.startswith(cut) for cut in there)


def pbs_queues() -> tuple[dict[str, bool], str | None]:
    """Queue -> whether it takes and starts jobs, from ``qstat -Q``; or what went wrong."""
    status, printed, error = answer("qstat", "-Q")
    if status:
        return {}, last_line(error)
    queues = {}
    for line in printed.splitlines():
        words = line.split()
        flags = [word.lower() for word in words[3:5]]  # name max total enabled started
        if len(flags) == 2 and set(flags) <= {"yes", "no"}:
            queues[words[0]] = "no" not in flags
    return queues, None


def slurm_partitions() -> tuple[dict[str, bool], str | None]:
    """Partition -> whether it is up, from ``sinfo``; or what went wrong."""
    status, printed, error = answer("sinfo", "--noheader", "--format=%R %a")
    if status:
        return {}, last_line(error)
    rows = [line.split() for line in printed.splitlines() if len(line.split()) == 2]
    return {name: state == "up" for name, state in rows}, None


def check_cluster_gpus(machine: Machine, gpus: int) -> Iterator[Finding]:
    """Whether nodes of the cluster have GPUs under the name that jobs ask for them."""
    if not gpus or machine.scheduler is None:
        return
    slurm = machine.scheduler == "slurm"
    ask = ("sinfo", "--noheader", "--format=%R %G") if slurm else ("pbsnodes", "-a")
    status, printed, _ = answer(*ask)
    there = _gres(printed) if slurm else _countable(printed)
    asked = set(machine.gpu_resources) or ({"gpu"} if slurm else {"ngpus", "gpus"})
    if status:
        yield warning("GPU nodes", "the scheduler does not tell", "ask whether nodes have GPUs")
    elif asked <= there or (asked & there and not machine.gpu_resources):
        yield ok("GPU nodes", f"there are some (a job asks for up to {gpus})")
    elif there:
        missing = " or ".join(sorted(asked - there))
        yield failure(
            "GPU nodes",
            f"jobs would ask for {missing}, which no node has; nodes have {named(sorted(there))}",
            f"VLPRM_GPU_RESOURCE={min(there)} (or gpu_resource in the profile), if those are GPUs",
        )
    elif slurm:
        yield failure(
            "GPU nodes",
            f"no partition has GPUs, and models ask for {gpus}",
            "choose another cluster, or models with gpus: 0",
        )
    else:
        yield warning(
            "GPU nodes",
            f"no node states GPUs as {' or '.join(sorted(asked))}, and models ask for {gpus}",
            "ask how this cluster names its GPUs, and set VLPRM_GPU_RESOURCE",
        )


def _gres(printed: str) -> set[str]:
    """Names of what Slurm's partitions offer: ``gpu:h100:4(S:0-1),shard:8``."""
    return set(re.findall(r"(?m)(?:[ ,])([A-Za-z]\w*):", printed))


def _countable(printed: str) -> set[str]:
    """What PBS's nodes call GPUs, where there is at least one: a name like ngpus or a100_gpu."""
    pbs = re.findall(r"resources_available\.(\S+)\s*=\s*[1-9]\d*\s*$", printed, re.MULTILINE)
    found = {name for name in pbs if re.search(r"gpu|accel|cuda|mig", name, re.IGNORECASE)}
    torque = re.search(r"(?m)^\s+gpus\s*=\s*[1-9]|gres\S*gpu", printed)
    return found | ({"gpus"} if torque else set())
