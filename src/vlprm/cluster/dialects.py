"""Three ways to ask for the same job: PBS's ``select``, Torque's ``nodes``, Slurm's sbatch.

OpenPBS and PBS Pro speak ``select``. Torque and the qsub that Slurm ships speak ``nodes`` (Slurm's
accepts a select, but loses memory and GPUs in it). Checked on OpenPBS 23.06 and Slurm 22.05.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

from vlprm.cluster.command import ask
from vlprm.cluster.registry import Job, short
from vlprm.errors import UserError

SELECT, NODES, SLURM = "select", "nodes", "slurm"
DIALECTS = (SELECT, NODES, SLURM)
PATIENCE = 60
"""Seconds after which a scheduler command is abandoned."""
NAME = 15
"""Length of a job's name that every qsub accepts; Torque and older PBS Pro accept no more."""


def detect(asked: str | None = None) -> str:
    """The dialect of the commands on PATH, unless given (argument, or ``VLPRM_DIALECT``).

    Raises UserError for an unknown dialect, and where there is no scheduler.
    """
    asked = asked or os.environ.get("VLPRM_DIALECT")
    if asked and asked not in DIALECTS:
        raise UserError(f"no dialect {asked!r}", cure=f"write one of: {', '.join(DIALECTS)}")
    needed = "sbatch" if asked == SLURM else "qsub"
    if shutil.which(needed) is None and (asked or shutil.which("sbatch") is None):
        raise UserError(
            f"no scheduler: there is no {needed} on PATH",
            cure="run on a login node (module load pbs or slurm), or use --profile profiles/local",
        )
    if asked:
        return asked
    if shutil.which("qsub") is None:
        return SLURM
    done = run(["qstat", "--version"])
    return SELECT if done and "pbs_version" in (done.stdout + done.stderr).lower() else NODES


def run(argv: list[str], patience: float = PATIENCE) -> subprocess.CompletedProcess[str] | None:
    """Run a scheduler command; None when it is missing or does not answer in time."""
    try:
        return ask(argv, patience)
    except (OSError, subprocess.TimeoutExpired):
        return None


def clock(seconds: int) -> str:
    """``HH:MM:SS``, with hours beyond 24: what every dialect reads."""
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def submission(job: Job, script: str) -> list[str]:
    """The command line that submits ``script`` for this job, errors joined to the log file."""
    return {SELECT: _select, NODES: _nodes, SLURM: _sbatch}[job.dialect](job, script)


def _select(job: Job, script: str) -> list[str]:
    chunk = f"{job.nodes}:ncpus={job.threads}:mem={job.mem_mb}mb"
    if job.gpus:
        chunk += f":{job.options.get('gpu_resource', 'ngpus')}={job.gpus}"
        if model := job.options.get("gpu_model"):
            chunk += f":{model}" if "=" in model else f":gpu_type={model}"
    if extra := job.options.get("select_extra"):
        chunk += (":" if extra[0] not in ":+" else "") + extra
    lines = ["-l", f"select={chunk}", "-l", f"walltime={clock(job.walltime)}"]
    if job.nodes > 1:
        lines += ["-l", "place=scatter"]
    return _qsub(job, lines, script)


def _nodes(job: Job, script: str) -> list[str]:
    nodes = f"nodes={job.nodes}:ppn={job.threads}"
    if job.gpus:
        nodes += f":{job.options.get('gpu_resource', 'gpus')}={job.gpus}"
        if model := job.options.get("gpu_model"):
            nodes += f":{model}"
    if extra := job.options.get("select_extra"):
        nodes += (":" if extra[0] not in ":+" else "") + extra
    # Torque counts mem over the whole job, the qsub of Slurm counts it per node
    mem = job.mem_mb if shutil.which("sbatch") else job.mem_mb * job.nodes
    return _qsub(job, ["-l", f"{nodes},mem={mem}mb,walltime={clock(job.walltime)}"], script)


def _qsub(job: Job, lines: list[str], script: str) -> list[str]:
    torque = job.dialect == NODES and not shutil.which("sbatch")
    name = short_name(job.name) if torque else job.name
    argv = ["qsub", "-N", name, *lines, "-j", "oe", "-o", job.log]
    for flag, word in (("-q", "queue"), ("-A", "account"), ("-P", "project")):
        if value := job.options.get(word):
            argv += [flag, value]
    return [*argv, *shlex.split(job.options.get("submit_extra", "")), script]


def short_name(name: str) -> str:
    """A name that every qsub accepts: its first 15 characters."""
    return name[:NAME].rstrip("-._")


def _sbatch(job: Job, script: str) -> list[str]:
    minutes = -(-job.walltime // 60)
    argv = [
        *("sbatch", "--parsable", f"--job-name={job.name}", f"--nodes={job.nodes}"),
        *("--ntasks-per-node=1", f"--cpus-per-task={job.threads}", f"--mem={job.mem_mb}M"),
        *(f"--time={minutes}", f"--output={job.log}", "--open-mode=append"),
    ]
    if job.gpus:
        model = job.options.get("gpu_model")
        name = job.options.get("gpu_resource", "gpu")
        argv.append(f"--gres={name}:{model + ':' if model else ''}{job.gpus}")
    for flag, word in (("partition", "queue"), ("account", "account"), ("wckey", "project")):
        if value := job.options.get(word):
            argv.append(f"--{flag}={value}")
    if extra := job.options.get("select_extra"):
        argv.append(f"--constraint={extra}")
    return [*argv, *shlex.split(job.options.get("submit_extra", "")), script]


def deletion(dialect: str, ids: list[str]) -> list[str]:
    """The command line that deletes jobs."""
    if dialect == SELECT:
        return ["qdel", *ids]
    return ["scancel" if dialect == SLURM else "qdel", *map(short, ids)]


_ID = {
    SELECT: r"\d+(?:\[\d*\])?(?:\.[A-Za-z][\w-]*(?:\.[\w-]+)*)",
    NODES: r"\d+(?:\[\d*\])?(?:\.[\w-]+)*",
    SLURM: r"\d+(?:;[\w.-]+)?",
}


def accepted(dialect: str, printed: str) -> str | None:
    """The job id in what a submission printed; None where there is none.

    A line that is an id wins, whatever a site prints around it (a greeting, the queue that a job
    was routed to). Next comes an id within a line, as sbatch prints it without ``--parsable``.
    """
    lines = [line.strip() for line in printed.splitlines()]
    for wanted in dict.fromkeys([_ID[dialect], _ID[NODES]]):
        if whole := [line for line in lines if re.fullmatch(wanted, line)]:
            return whole[-1].split(";")[0]
    for line in lines:
        if found := re.search(rf"\bjob\s+(?:id\s*)?[:#=]?\s*({_ID[dialect]})", line, re.IGNORECASE):
            return found[1].split(";")[0].rstrip(".")
    for line in lines:
        if found := re.search(rf"(?<![\w.-])({_ID[SELECT]})(?![\w-])", line):
            return found[1]
    return None
