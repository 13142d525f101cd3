"""Why a job ended, in words that a person can act on: from server, marker and log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vlprm.cluster.dialects import clock
from vlprm.cluster.qstat import ENDED, Seen
from vlprm.cluster.registry import Job

UNHEALTHY = 99
"""Exit status of a job whose GPUs failed the health check (as in upstream's scripts)."""
_TAIL_BYTES = 20_000
# codes that OpenPBS records when its execution daemon ended the job
_KILLED = {-29: "walltime", -27: "memory", -26: "memory", -28: "cpu time", -11: "walltime"}
_KILLED |= {-10: "memory", -12: "cpu time"}
_WORDS = {
    "TIMEOUT": "walltime",
    "DEADLINE": "walltime",
    "OUT_OF_MEMORY": "memory",
    "CANCELLED": "deleted",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "PREEMPTED": "preempted",
}
_LOG = [
    (r"DUE TO TIME LIMIT|PBS: job killed: walltime", "walltime"),
    (r"[Ee]xceeded (job |step |task )?memory limit|PBS: job killed: v?mem", "memory"),
    (r"oom[-_ ]kill|Out Of Memory|Cgroup mem(sw)? limit exceeded", "memory"),
    (r"DUE TO NODE FAILURE", "node"),
    (r"DUE TO PREEMPTION", "preempted"),
]


def reason(job: Job, seen: Seen | None, ended: dict[str, Any] | None) -> str:
    """One line: why the job failed. ``seen`` and ``ended`` may each be missing."""
    if ended and ended.get("why"):
        return str(ended["why"])
    kind = ran_out(job, seen, ended)
    said = {
        "walltime": f"over walltime (asked {clock(job.walltime)})",
        "memory": f"over memory (asked {job.mem_mb} MB)",
        "cpu time": "over its limit of CPU time",
        "node": "its node failed",
        "preempted": "preempted by another job",
        "deleted": "deleted by qdel",
        "deleted queued": "deleted by qdel before it ran",
    }
    if kind in said:
        return said[kind]
    code = (ended or {}).get("exit", seen.exit if seen else None)
    if ended and code == 1:
        code = _of_the_rule(tail(Path(job.log))) or code
    if isinstance(code, int):
        return f"exit status {code}" if 0 < code < 128 else f"ended by signal {_signal(code)}"
    return "killed: it ended without an exit status, and the scheduler gave no reason"


def _of_the_rule(log: str) -> int | None:
    """The exit status of the rule's own command: the job ends with Snakemake's, which is 1."""
    # (the command that stands before it may have several lines)
    told = re.findall(r"' (?:returned non-zero exit status|died with) (.*)\.$", log, re.MULTILINE)
    number = re.search(r"-?\d+", told[-1]) if told else None
    if number is None:
        return None
    return 128 + int(number[0]) if "SIG" in told[-1] else int(number[0])


def ran_out(job: Job, seen: Seen | None, ended: dict[str, Any] | None) -> str:
    """What ended the job, in one word: ``memory``, ``walltime`` ...; empty if it ended itself."""
    if seen and seen.exit in _KILLED and seen.exit is not None:
        return _KILLED[seen.exit]
    if seen and seen.word in _WORDS:
        return _WORDS[seen.word]
    comment = seen.comment.lower() if seen else ""
    for phrase, kind in (("exceeded resource walltime", "walltime"), ("resource mem", "memory")):
        if phrase in comment:
            return kind
    text = tail(Path(job.log))
    for pattern, kind in _LOG:
        if re.search(pattern, text):
            return kind
    lived = seen.used if seen and seen.used is not None else (ended or {}).get("seconds")
    terminated = (ended or {}).get("signal") == "SIGTERM" or (seen and seen.exit in (271, 143))
    if terminated and isinstance(lived, int | float) and lived >= job.walltime:
        return "walltime"
    if terminated or "terminated by" in comment:
        return "deleted"
    return "deleted queued" if seen and not ended and deleted_in_queue(seen) else ""


def deleted_in_queue(seen: Seen) -> bool:
    """Whether the server's history says that the job ended and never started."""
    return seen.state == ENDED and seen.exit is None and not seen.started and bool(seen.comment)


def _signal(code: int) -> int:
    return code - 256 if code > 256 else code - 128 if code > 128 else -code


def never_runs(seen: Seen) -> str | None:
    """Why a queued job can never run, in the server's words; None when it can."""
    found = re.search(r"can never run:?\s*(.*)", seen.comment, re.IGNORECASE)
    return (found[1].strip() or "the request cannot be met") if found else None


def tail(path: Path, size: int = _TAIL_BYTES) -> str:
    """The last ``size`` bytes of a file as text; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
