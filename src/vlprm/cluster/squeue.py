"""What Slurm says about jobs: squeue, and sacct for those that squeue has forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vlprm.cluster.dialects import run
from vlprm.cluster.qstat import ENDED, HELD, QUEUED, RUNNING, UNKNOWN, Seen
from vlprm.cluster.registry import short

_STATES = {
    **dict.fromkeys(
        ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"],
        QUEUED,
    ),
    **dict.fromkeys(["REQUEUE_HOLD"], HELD),
    **dict.fromkeys(
        [
            *("COMPLETED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "CANCELLED", "NODE_FAIL"),
            *("PREEMPTED", "BOOT_FAIL", "DEADLINE", "REVOKED"),
        ],
        ENDED,
    ),
}


def query(ids: Iterable[str]) -> dict[str, Seen]:
    """Ask Slurm about jobs, by short id; ids are missing from the answer while Slurm is away."""
    wanted = [short(job_id) for job_id in ids if short(job_id).isdigit()]
    if not wanted:
        return {}
    done = run(["squeue", "-h", "-t", "all", "-j", ",".join(wanted), "-o", "%A|%T|%r"])
    if done is None:
        return {}
    # one unknown id is an error; given several, it lists those that it knows
    if done.returncode and not re.search("invalid job id", done.stderr, re.IGNORECASE):
        return {}
    found = {}
    for line in done.stdout.splitlines():
        job_id, _, rest = line.strip().partition("|")
        word, _, why = rest.partition("|")
        if job_id in wanted:
            found[job_id] = _seen(word, why)
    lost = [job_id for job_id in wanted if job_id not in found]
    return found | {job_id: Seen(UNKNOWN) for job_id in lost} | _from_accounting(lost)


def _from_accounting(ids: list[str]) -> dict[str, Seen]:
    if not ids:
        return {}
    done = run(["sacct", "-X", "-n", "-P", "-j", ",".join(ids), "-o", "JobIDRaw,State,ExitCode"])
    found: dict[str, Seen] = {}
    for line in done.stdout.splitlines() if done and done.returncode == 0 else []:
        parts = line.split("|")
        if len(parts) == 3 and parts[0] in ids:
            found[parts[0]] = _seen(parts[1], "", parts[2])
    return found


def _seen(word: str, why: str, exit_code: str = "") -> Seen:
    word = word.split()[0] if word.split() else "?"
    if word.endswith("+"):  # cut to the width of a column
        word = next((name for name in _STATES if name.startswith(word[:-1])), word)
    state = _STATES.get(word, RUNNING)
    if state == QUEUED and re.search("held|JobHold", why, re.IGNORECASE):
        state = HELD
    return Seen(
        state=state,
        exit=_exit(word, exit_code),
        comment="" if why in ("None", "(null)") else why,
        started=state == RUNNING,
        word=word if state == ENDED else "",
    )


def _exit(word: str, exit_code: str) -> int | None:
    """The exit status in ``STATUS:SIGNAL``; a signal counts from 128, as in a shell.

    Only COMPLETED ends with 0: a job that was killed (TIMEOUT, CANCELLED, OUT_OF_MEMORY ...) has
    0:0, 0:15 or 0:125 there, and no exit status of its own.
    """
    parts = re.fullmatch(r"(\d+):(\d+)", exit_code)
    status, number = (int(parts[1]), int(parts[2])) if parts else (0, 0)
    if number and not status and word == "FAILED":
        return 128 + number
    return status if status or word == "COMPLETED" else None
