"""What PBS says about jobs: JSON where it can, otherwise the folded text of ``qstat -f``.

One query asks about many jobs. An answer says where a job is, that it ended (with its exit status
where the server keeps one), or that the server does not know it. No answer is no evidence.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vlprm.cluster.dialects import NODES, run
from vlprm.cluster.refusals import UNREACHABLE
from vlprm.cluster.registry import short

QUEUED, HELD, RUNNING, ENDED, UNKNOWN = "queued", "held", "running", "ended", "unknown"
_STATES = {
    **dict.fromkeys("QWT", QUEUED),
    **dict.fromkeys("HU", HELD),
    **dict.fromkeys("REBS", RUNNING),
    **dict.fromkeys("FCXM", ENDED),
}
_GONE = re.compile(r"unknown job ?id\.? *(?:error)? *(\S+)?", re.IGNORECASE)
_FINISHED = re.compile(r"(\d\S*) job has finished", re.IGNORECASE)
_NO_HISTORY = re.compile(r"not configured to maintain job history|history", re.IGNORECASE)
_USAGE = re.compile(r"usage:|unknown option|invalid option|conflicting options", re.IGNORECASE)


@dataclass(frozen=True)
class Seen:
    """One job as the scheduler sees it. ``used`` and ``asked`` are walltimes in seconds."""

    state: str
    exit: int | None = None
    comment: str = ""
    used: int | None = None
    asked: int | None = None
    started: bool = False
    word: str = ""
    """Slurm's own name of an end: COMPLETED, TIMEOUT, OUT_OF_MEMORY, CANCELLED ..."""


def query(dialect: str, ids: Iterable[str]) -> dict[str, Seen]:
    """Ask PBS about jobs. Ids without an answer (server away) are missing from the result.

    Keys are short ids.
    """
    wanted = [short(job_id) for job_id in ids]
    given = [job_id if dialect != NODES else short(job_id) for job_id in ids]
    if not wanted:
        return {}
    forms = (
        [["qstat", "-f", *given]]
        if dialect == NODES  # Torque's -x means XML; Slurm's qstat has none
        else [["qstat", "-x", "-f", "-F", "json", *given], ["qstat", "-x", "-f", *given]]
    )
    for argv in forms:
        done = run(argv)
        if done is None or _USAGE.search(done.stderr):
            continue
        if UNREACHABLE.search(done.stderr):
            return {}
        try:
            found = parse(done.stdout)
        except ValueError:  # some servers print invalid JSON: an unescaped quote
            continue
        named = _said_gone(done, wanted, dialect)
        if _NO_HISTORY.search(done.stderr) and not found:
            continue
        return {**named, **found}
    return _without_history(given, wanted) if dialect != NODES else {}


def _without_history(given: list[str], wanted: list[str]) -> dict[str, Seen]:
    done = run(["qstat", "-f", *given])
    if done is None or UNREACHABLE.search(done.stderr) or _USAGE.search(done.stderr):
        return {}
    try:
        return {**_said_gone(done, wanted, NODES), **parse(done.stdout)}
    except ValueError:
        return {}


def _said_gone(
    done: subprocess.CompletedProcess[str], wanted: list[str], dialect: str
) -> dict[str, Seen]:
    """Jobs that the server does not know, or that moved to a history we cannot read."""
    said = done.stderr + ("" if _json_in(done.stdout) else done.stdout)
    named = {short(job_id) for job_id in _GONE.findall(said) if job_id}
    gone = {job_id: Seen(UNKNOWN) for job_id in wanted if job_id in named}
    gone |= {short(job_id): Seen(ENDED) for job_id in _FINISHED.findall(said)}
    if done.returncode in (0, 153) and dialect == NODES:
        # Slurm's qstat lists what it knows and says nothing about the rest
        gone = {job_id: Seen(UNKNOWN) for job_id in wanted} | gone
    elif done.returncode == 153 and len(wanted) == 1:
        gone.setdefault(wanted[0], Seen(UNKNOWN))
    elif re.search(r"unknown queue destination|invalid job ?id|illegal job", said, re.IGNORECASE):
        gone |= {job_id: Seen(UNKNOWN) for job_id in wanted if not job_id[:1].isdigit()}
    return {job_id: seen for job_id, seen in gone.items() if job_id in wanted}


def parse(text: str) -> dict[str, Seen]:
    """Jobs of ``qstat -f`` (JSON, or text folded at 78 columns) by short id.

    Raises ValueError for invalid JSON.
    """
    found = _json_in(text)
    jobs = _from_json(found) if found else _from_text(text)
    return {short(job_id): _seen(fields) for job_id, fields in jobs.items()}


def _json_in(text: str) -> str | None:
    """The text from the first line that opens a JSON object: sites print greetings before it."""
    opened = re.search(r"\A\s*\{|^\{", text, re.MULTILINE)
    return text[opened.start() :].lstrip() if opened else None


def _from_json(text: str) -> dict[str, dict[str, str]]:
    value, _ = json.JSONDecoder().raw_decode(text)
    jobs: dict[str, dict[str, Any]] = value.get("Jobs", {})
    return {job_id: dict(_flat(fields)) for job_id, fields in jobs.items()}


def _flat(fields: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def _from_text(text: str) -> dict[str, dict[str, str]]:
    jobs: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if head := re.match(r"Job Id:\s*(\S+)", line):
            fields = jobs.setdefault(head[1], {})
            name = ""
        elif row := re.match(r"(?: {4}|\t)(\S+) = (.*)", line):
            name = row[1]
            fields[name] = row[2]
        elif name and line.startswith("\t"):
            fields[name] += line[1:]
    return jobs


def _seen(fields: dict[str, str]) -> Seen:
    values = {name.lower(): value.strip() for name, value in fields.items()}
    status = values.get("exit_status")
    return Seen(
        state=_STATES.get(values.get("job_state", "?")[:1], RUNNING),
        exit=int(status) if status and re.fullmatch(r"-?\d+", status) else None,
        comment=values.get("comment", ""),
        used=seconds(values.get("resources_used.walltime")),
        asked=seconds(values.get("resource_list.walltime")),
        started=bool(values.get("stime") or values.get("start_time") or values.get("exec_host")),
    )


def seconds(text: str | None) -> int | None:
    """``HH:MM:SS``, ``MM:SS`` or a number of seconds; None for anything else."""
    if not text or not re.fullmatch(r"\d+(:\d+){0,2}", text):
        return None
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total
