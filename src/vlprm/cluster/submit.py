"""``vlprm-cluster-submit JOBSCRIPT``: hand one Snakemake job to the scheduler, print its job id.

A job that a dead Snakemake left behind is taken over when it does the same work on the same inputs
and parameters. One with other parameters is deleted first. So two jobs never write one file, even
in a rerun after a SIGKILL or a dead login node.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import vlprm
from vlprm.cluster import endings, pbs_or_slurm
from vlprm.cluster.dialects import accepted, deletion, detect, run, short_name, submission
from vlprm.cluster.qstat import ENDED, UNKNOWN
from vlprm.cluster.refusals import BAD_NAME, FULL, UNREACHABLE, TryAgainError, refusal
from vlprm.cluster.registry import Job, Registry, short, write_whole
from vlprm.cluster.request import properties_of, request, work_key
from vlprm.errors import UserError

SUBMIT_PATIENCE = 300
DELETE_PATIENCE = 90
# what a job needs of the environment it was submitted from; values go into a file of mode 0700
PASSED = re.compile(
    r"PATH|LD_LIBRARY_PATH|PYTHON(PATH|HASHSEED)|MPLBACKEND|TOKENIZERS_PARALLELISM|LANG|LC_ALL"
    r"|XDG_CACHE_HOME|SLURM_CONF|PBS_CONF_FILE|(HF|VLPRM|APPTAINER|SINGULARITY|NCCL)_\w+"
    r"|APPTAINERENV_\w+"
)


def main() -> int:
    """Submit and print nothing but the id. A UserError is one message and exit status 2, which is
    final (the executor does not retry it), or 75 for what may change at the next attempt.
    """
    parser = argparse.ArgumentParser(prog="vlprm-cluster-submit", description=__doc__)
    parser.add_argument("--dialect", help="select, nodes or slurm; found out when left out")
    parser.add_argument("jobscript", type=Path)
    arguments = parser.parse_args()
    try:
        sys.stdout.write(submit(arguments.jobscript, arguments.dialect) + "\n")
    except UserError as error:
        # Snakemake's log keeps the standard output of a failed submission, not its errors
        sys.stdout.write(f"error: {error}\n")
        return os.EX_TEMPFAIL if isinstance(error, TryAgainError) else 2
    return 0


def submit(jobscript: Path, dialect: str | None = None) -> str:
    """Submit a jobscript from the working directory and return the job id.

    Raises UserError when the scheduler refuses, is absent, or stays away for five minutes.
    """
    registry = Registry()
    properties = properties_of(jobscript)
    run_name = Path(os.environ.get("SNAKEMAKE_CLUSTER_SIDECAR_VARS") or "none.ids").stem
    ran_out = registry.ran_out(work_key(properties), run_name)
    job = replace(request(properties, detect(dialect), ran_out=ran_out), run=run_name)
    left = _left_behind(registry, job)
    if left is not None:
        registry.list_in_run(job.run, left.id)
        registry.write("jobs", short(left.id), asdict(replace(left, run=job.run)))
        return left.id
    copy = registry.path("scripts", job.ticket, ".jobscript.sh")
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(jobscript, copy)
    return send(registry, job, copy).id


def send(registry: Registry, job: Job, jobscript: Path) -> Job:
    """Submit a request and record it; waits for a server that is away.

    Raises UserError when the scheduler refuses.
    """
    log = Path.cwd() / "logs" / "cluster" / f"{job.name}.{job.ticket.split('.', 1)[1]}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    job = replace(job, log=str(log), submitted=time.time())
    script = _script(registry, job, jobscript)
    argv = submission(job, str(script))
    deadline = time.monotonic() + float(os.environ.get("VLPRM_SUBMIT_PATIENCE") or SUBMIT_PATIENCE)
    pause = 2.0
    while True:
        done = run(argv)
        said = f"{done.stdout} {done.stderr}" if done else f"{argv[0]} did not answer"
        if done is not None and done.returncode == 0:
            registry.add(job := replace(job, id=_id(job, argv[0], done.stdout, said)))
            return job
        if BAD_NAME.search(said) and (name := short_name(job.name)) not in argv:
            argv = submission(replace(job, name=name), str(script))
            continue
        if done is not None and not (UNREACHABLE.search(said) or FULL.search(said)):
            raise refusal(job, said)
        if time.monotonic() + pause > deadline:
            full = FULL.search(said)
            raise TryAgainError(
                ("the queue is full: " if full else "the scheduler cannot be reached: ")
                + " ".join(said.split()),
                where=f"job {job.name}",
                cure="give `jobs` of the profile a number that your site allows"
                if full
                else "try `qstat` (or `squeue`) by hand, then rerun",
            )
        time.sleep(pause)
        pause = min(pause * 2, 30)


def _id(job: Job, command: str, printed: str, said: str) -> str:
    found = accepted(job.dialect, printed)
    if found is None:
        raise UserError(
            f"{command} took the job and printed no job id: {' '.join(said.split()) or 'nothing'}",
            where=f"job {job.name}",
            cure=f"look for it with `qstat -u $USER` (or `squeue --me`), delete it, and have "
            f"{command} print its id",
        )
    return found


def _script(registry: Registry, job: Job, jobscript: Path) -> Path:
    """The script that the scheduler runs: environment, then the wrapper around the jobscript."""
    spec = registry.path("specs", job.ticket)
    registry.write("specs", job.ticket, {"job": asdict(job), "jobscript": str(jobscript)})
    source = str(Path(vlprm.__file__).resolve().parents[1])
    also = set(re.findall(r"\w+", os.environ.get("VLPRM_PASS", "")))
    passed = {
        name: value
        for name, value in sorted(os.environ.items())
        if PASSED.fullmatch(name) or name in also
    }
    searched = passed.get("PYTHONPATH", "").split(os.pathsep)
    passed["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([source, *filter(None, searched)]))
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in passed.items())
    script = registry.path("scripts", job.ticket, ".sh")
    write_whole(
        script,
        f"#!/bin/sh\n# {job.name}\n{exports}cd {shlex.quote(str(Path.cwd()))} || exit 1\n"
        f"exec {shlex.quote(sys.executable)} -m vlprm.cluster.wrapper {shlex.quote(str(spec))}"
        ' "$@"\n',
    )
    script.chmod(0o700)
    return script


def _left_behind(registry: Registry, job: Job) -> Job | None:
    """The job of an earlier run that does this work now, if there is one.

    Deletes it first when its inputs or parameters differ, and waits for one that Ctrl-C deleted
    and that is still ending. Raises TryAgainError when that cannot be found out, or when the old
    job does not go away.
    """
    claim = registry.read("claims", job.key)
    old = registry.job(str(claim["id"])) if claim else None
    if old is None:
        return None
    old = registry.latest(old)
    if registry.final(old) or registry.read("failures", old.ticket):
        return None
    deadline = time.monotonic() + DELETE_PATIENCE
    deleted = False
    cancelled = registry.read("cancelled", old.ticket) is not None
    while time.monotonic() < deadline:
        number = registry.id_of(old)
        seen = pbs_or_slurm.query(old.dialect, [number]).get(short(number))
        if seen is not None and seen.state in (ENDED, UNKNOWN):
            return None
        if seen is not None and not deleted:
            same = old.digest == job.digest and not cancelled
            if same and endings.never_runs(seen) is None:
                return old
            run(deletion(old.dialect, [number]))
            deleted = True
        time.sleep(1)
    raise TryAgainError(
        f"an earlier run's job {old.id} may still do this work, and "
        + ("cannot be deleted" if deleted else "the scheduler does not say where it is"),
        where=f"job {job.name}",
        cure=f"delete it by hand (qdel {old.id}), then rerun",
    )


if __name__ == "__main__":
    sys.exit(main())
