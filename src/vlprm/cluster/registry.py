"""What a run knows about its jobs: small JSON files below ``.snakemake/cluster``, written whole.

A *ticket* names one submission for ever; a scheduler reuses job ids after a reset. Jobs write
markers under their ticket, so a status command learns of an end even without a server's history.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(".snakemake/cluster")


@dataclass(frozen=True)
class Job:
    """One submission: what the scheduler was asked for, and where its traces are.

    ``walltime`` in seconds, ``mem_mb`` in MB per node; ``key`` names the work (rule and wildcards),
    ``digest`` its inputs, outputs and parameters; ``hop`` counts moves away from sick GPUs.
    """

    ticket: str
    name: str
    rule: str
    key: str
    digest: str
    dialect: str
    threads: int = 1
    mem_mb: int = 1000
    walltime: int = 3600
    gpus: int = 0
    nodes: int = 1
    options: dict[str, str] = field(default_factory=dict)
    log: str = ""
    rule_logs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    run: str = ""
    hop: int = 0
    submitted: float = 0.0
    id: str = ""


def short(job_id: str) -> str:
    """The part of a job id that every command of one server agrees on: ``12.host`` -> ``12``."""
    return job_id.strip().split(".")[0].split(";")[0]


class Registry:
    """The files of one working directory."""

    def __init__(self, workdir: Path | None = None) -> None:
        self.root = (workdir or Path.cwd()) / ROOT

    def path(self, kind: str, name: str, suffix: str = ".json") -> Path:
        """Where one fact is kept; odd characters of ids become ``_``."""
        return self.root / kind / (re.sub(r"[^A-Za-z0-9._-]", "_", name) + suffix)

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """A fact, or None where it is not known (yet)."""
        try:
            value = json.loads(self.path(kind, name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, kind: str, name: str, value: dict[str, Any]) -> None:
        """Write a fact so that a reader sees all of it or nothing."""
        write_whole(self.path(kind, name), json.dumps(value, indent=1, sort_keys=True))

    def add(self, job: Job) -> None:
        """Record a submitted job: by id, by the work it does, and in its run's list."""
        self.write("jobs", short(job.id), asdict(job))
        self.write("claims", job.key, {"id": job.id, "digest": job.digest, "ticket": job.ticket})
        self.list_in_run(job.run, job.id)

    def list_in_run(self, run: str, job_id: str) -> None:
        """Append a job id to the list that the run's sidecar follows."""
        if run:
            runs = self.path("runs", run, ".ids")
            runs.parent.mkdir(parents=True, exist_ok=True)
            with runs.open("a", encoding="utf-8") as lines:
                lines.write(job_id + "\n")

    def ids_of(self, run: str) -> list[str]:
        """Every id a run submitted or took over, oldest first."""
        try:
            text = self.path("runs", run, ".ids").read_text(encoding="utf-8")
        except OSError:
            return []
        return list(dict.fromkeys(text.split()))

    def job(self, job_id: str) -> Job | None:
        """The record of a job id; None for a job that is not ours."""
        value = self.read("jobs", short(job_id))
        return Job(**value) if value else None

    def latest(self, job: Job) -> Job:
        """The job that does this job's work now: a failed health check moves the work on."""
        for _ in range(100):
            moved = self.read("moved", job.ticket)
            after = self.job(str(moved["id"])) if moved else None
            if after is None:
                return job
            job = after
        return job

    def id_of(self, job: Job) -> str:
        """The id under which the job runs (after a lost answer, a submission may run twice)."""
        started = self.read("started", job.ticket)
        return str(started["id"]) if started else job.id

    def ended(self, job: Job) -> dict[str, Any] | None:
        """What the job itself wrote at its end: ``exit``, ``started``, ``ended``, ``host`` ..."""
        return self.read("ended", job.ticket)

    def read_anew(self, kind: str, job: Job) -> dict[str, Any] | None:
        """A fact about a job, read past this machine's cache of the folder.

        A network file system trusts its last look for up to a minute. A new file that comes and
        goes makes it look again.
        """
        path = self.path(kind, job.ticket)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".look.", suffix=".tmp"):
                pass
        return self.read(kind, job.ticket)

    def final(self, job: Job) -> dict[str, Any] | None:
        """What the job wrote at its end, unless it was told to end: it may be back in the queue.

        (A node that goes down and a preemption send SIGTERM, and the scheduler starts it over.)
        """
        ended = self.ended(job)
        return None if ended is None or ended.get("signal") else ended

    def ran_out(self, key: str, run: str) -> Counter[str]:
        """How often this work of this run ended over its ``memory``, its ``walltime`` ..."""
        facts = [self.read("failures", file.stem) for file in self.root.glob("failures/*.json")]
        mine = [fact for fact in facts if fact and (fact.get("key"), fact["run"]) == (key, run)]
        return Counter(str(fact["kind"]) for fact in mine)

    def fail(self, job: Job, reason: str, when: float, kind: str = "") -> None:
        """Keep why a job failed, once per ticket; ``kind`` is what ran out, for the next try."""
        if self.read("failures", job.ticket) is None:
            fact = {
                "id": job.id,
                "name": job.name,
                "rule": job.rule,
                "key": job.key,
                "kind": kind,
                "reason": reason,
                "log": job.log,
                "rule_logs": job.rule_logs,
                "run": job.run,
                "time": when,
            }
            self.write("failures", job.ticket, fact)
            # a job that was killed while it wrote its last word cannot have cleaned up
            name = self.path("ended", job.ticket).name
            for half in self.root.glob(f"*/.{name}.*.tmp"):
                half.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it into place.

    Only its owner can read it, unlike results: a job's script may carry secrets.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
