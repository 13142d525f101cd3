"""Where a run stands: steps done, jobs in the queue, failures with the last lines of their logs.

It reads what Snakemake and the jobs leave behind. So it works beside a running workflow, after it,
and without a scheduler.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from vlprm.cluster import endings, pbs_or_slurm
from vlprm.cluster.qstat import ENDED, UNKNOWN, Seen
from vlprm.cluster.registry import Job, Registry, short
from vlprm.errors import UserError

LAST_LINES = 8
_ERROR = re.compile(r"^Error in (?:group|rule) (\S+):\n(.*?)(?=\n\n|\n\[|\Z)", re.M | re.S)
_STEPS = re.compile(r"^(\d+) of (\d+) steps", re.MULTILINE)
_NOTHING = "Nothing to be done"


@dataclass(frozen=True)
class Failure:
    """A job that failed and has not succeeded since."""

    rule: str
    name: str
    reason: str
    logs: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class Steps:
    """What the newest Snakemake log says: steps done and planned, and whether the run is over."""

    done: int = 0
    planned: int = 0
    over: bool = False
    finished: bool = False
    """Nothing that was asked for is left to do."""
    log: Path | None = None
    failures: tuple[Failure, ...] = field(default_factory=tuple)


def report(workdir: Path, run: str | None = None) -> Iterator[str]:
    """The lines of ``vlprm status``; ``run`` restricts them to one run's jobs.

    Raises UserError for a folder in which no workflow has run.
    """
    if not (workdir / ".snakemake").is_dir():
        raise UserError(
            "no workflow has run here",
            where=str(workdir),
            cure="go to the folder in which Snakemake ran, or give it with --directory",
        )
    steps = last_steps(workdir)
    yield from _progress(workdir, run, steps)
    registry = Registry(workdir)
    yield from _queue(registry, run)
    if cancelled := [job for job in _jobs(registry, run) if _cancelled(registry, job)]:
        yield f"cancelled: {len(cancelled)}, deleted with their run (Ctrl-C); the next one goes on"
    failures = _failures(registry, run, steps)
    yield f"failures: {len(failures) or 'none'}"
    for failure in failures:
        yield f"  {failure.name}" + (f" (job {failure.id})" if failure.id else "")
        yield from (f"    {line}" for line in failure.reason.splitlines())
        for log in failure.logs:
            yield from _last_lines(workdir, log)


def _progress(workdir: Path, run: str | None, steps: Steps) -> Iterator[str]:
    if steps.log is None:
        yield "progress: no log of a Snakemake run"
    else:
        share = f" ({100 * steps.done // steps.planned} %)" if steps.planned else ""
        age = timedelta(seconds=int(time.time() - steps.log.stat().st_mtime))
        state = "over" if steps.over else f"last heard of {age} ago"
        jobs = f"{steps.done} of {steps.planned} jobs done{share}"
        if steps.finished:
            yield f"progress: finished, {jobs if steps.planned else 'nothing was left to do'}"
        else:
            yield f"progress: {jobs}, {state}"
        yield f"  {steps.log}"
    for folder in sorted((workdir / "results").glob(run or "*")):
        count = sum(1 for _ in folder.rglob("*manifest.json"))
        yield f"results: {count} complete stages in {folder.relative_to(workdir)}"


def last_steps(workdir: Path) -> Steps:
    """Steps, end and errors of the newest log of a run.

    A log of a run with nothing to do means that the run before it has finished; then that run's
    steps are reported.
    """
    nothing: Path | None = None
    logs = sorted(workdir.glob(".snakemake/log/*.snakemake.log"), reverse=True)
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        counted = re.findall(r"^total\s+(\d+)$", text, re.MULTILINE)
        if "This was a dry-run" in text or not (counted or _NOTHING in text):
            continue
        if not counted:
            nothing = nothing or log
            continue
        done = _STEPS.findall(text)
        planned = int(done[-1][1]) if done else int(counted[-1])
        if nothing:
            return Steps(done=planned, planned=planned, over=True, finished=True, log=log)
        over = bool(re.search(r"^(Complete log|Exiting because)", text, re.M))
        return Steps(
            done=int(done[-1][0]) if done else 0,
            planned=planned,
            over=over,
            finished=over and bool(done) and int(done[-1][0]) == planned,
            log=log,
            failures=tuple(_errors(text)),
        )
    return Steps(over=True, finished=True, log=nothing) if nothing else Steps()


def check_run(workdir: Path, run: str) -> None:
    """Raises UserError for a run that left nothing here; the cure names the runs that did."""
    here = {path.name for top in ("results", "logs") for path in (workdir / top).glob("*/")}
    here -= {"cluster", "fetch"}  # logs of every run
    if run not in here:
        raise UserError(
            "no such run",
            where=run,
            cure=f"runs here: {', '.join(sorted(here))}" if here else "nothing has run here yet",
        )


def _errors(text: str) -> Iterator[Failure]:
    for error in _ERROR.finditer(text):
        fields: dict[str, str] = dict(re.findall(r"^    (\w+): (.*)$", error[2], re.MULTILINE))
        paths = fields.get("log", "").replace("(check log file(s) for error details)", "")
        logs = tuple(path.strip() for path in paths.split(",") if path.strip())
        name = fields.get("output", error[1]).split(", ")[0]
        refused = re.search(r"^error: (.*(?:\n *-> .*)?)", error[2], re.MULTILINE)
        reason = refused[1] if refused else "failed"
        number = fields.get("external_jobid", "")
        yield Failure(error[1], f"{error[1]}: {name}", reason, logs, number)


def _queue(registry: Registry, run: str | None) -> Iterator[str]:
    open_jobs = [job for job in _jobs(registry, run) if not _over(registry, job)]
    if not open_jobs:
        yield "queue: no job of ours"
        return
    by_dialect: dict[str, list[str]] = {}
    for job in open_jobs:
        by_dialect.setdefault(job.dialect, []).append(registry.id_of(job))
    seen: dict[str, Seen] = {}
    for dialect, ids in by_dialect.items():
        seen |= pbs_or_slurm.query(dialect, ids)
    rows = []
    for job in open_jobs:
        where = seen.get(short(registry.id_of(job)))
        if _cancelled(registry, job) and (where is None or where.state in (ENDED, UNKNOWN)):
            continue
        state = where.state if where else "unreachable"
        waited = timedelta(seconds=int(time.time() - job.submitted))
        never = endings.never_runs(where) if where else None
        note = f"can never run: {never}" if never else where.comment if where else ""
        rows.append((state, f"  {state:<9} {job.id:<12} {job.name}, submitted {waited} ago {note}"))
    if not rows:
        yield "queue: no job of ours"
        return
    counts = {state: sum(row[0] == state for row in rows) for state, _ in rows}
    yield "queue: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    for _, row in sorted(rows):
        yield row.rstrip()


def _failures(registry: Registry, run: str | None, steps: Steps) -> list[Failure]:
    """Failures without a later success, the scheduler's reasons first."""
    found = []
    for job in _jobs(registry, run):
        fact = registry.read("failures", job.ticket)
        if fact is None or _done_anew(registry, job):
            continue  # tried again since: the later job counts
        logs = (*fact["rule_logs"], str(fact["log"]))
        found.append(Failure(job.rule, job.name, str(fact["reason"]), logs, str(fact["id"])))
    ours = {short(job.id) for job in _jobs(registry, None)}
    for failure in {failure.name: failure for failure in steps.failures}.values():
        if short(failure.id) not in ours and (
            run is None or any(log.startswith(f"logs/{run}/") for log in failure.logs)
        ):
            found.append(failure)
    return found


def _jobs(registry: Registry, run: str | None) -> list[Job]:
    files = sorted(registry.root.glob("jobs/*.json"), key=lambda file: file.stat().st_mtime)
    jobs = [job for file in files if (job := registry.job(file.stem)) is not None]
    if run is None:
        return jobs
    return [job for job in jobs if any(f"logs/{run}/" in log for log in job.rule_logs)]


def _over(registry: Registry, job: Job) -> bool:
    if registry.final(job):
        return True
    if any(registry.read(kind, job.ticket) is not None for kind in ("failures", "moved")):
        return True
    return registry.read("cancelled", job.ticket) is not None and _done_anew(registry, job)


def _cancelled(registry: Registry, job: Job) -> bool:
    """Whether the job was deleted with its run, and no later job does its work."""
    if registry.read("cancelled", job.ticket) is None or _done_anew(registry, job):
        return False
    return not (registry.final(job) or registry.read("failures", job.ticket))


def _done_anew(registry: Registry, job: Job) -> bool:
    claim = registry.read("claims", job.key)
    return claim is not None and claim["ticket"] != job.ticket


def _last_lines(workdir: Path, log: str) -> Iterator[str]:
    path = workdir / log
    lines = [line for line in endings.tail(path, 4000).splitlines() if line.strip()]
    if lines:
        yield f"    {log}:"
        for line in lines[-LAST_LINES:]:
            yield f"      {line[:180]}"
