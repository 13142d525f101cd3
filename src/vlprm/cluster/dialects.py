"""Three ways to ask for the same job: PBS's ``select``, Torque's ``nodes``, Slurm's sbatch.

OpenPBS and PBS Pro speak ``select``; Torque and the qsub that Slurm ships speak ``nodes`` (Slurm's
accepts a select, and loses memory and GPUs in it). Checked on OpenPBS 23.06 and Slurm 22.05.
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
"""Seconds until a scheduler command is given up."""


def detect(asked: str | None = None) -> str:
    """The dialect of the commands on PATH, unless told (argument, or ``VLPRM_DIALECT``).

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
    """``HH:MM:SS``, hours beyond a day included: what every dialect reads."""
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def submission(job: Job, script: str) -> list[str]:
    """The command line that submits ``script`` for this job, errors joined to the log file."""
    return {SELECT: _select, NODES: _nodes, SLURM: _sbatch}[job.dialect](job, script)


def _select(job: Job, script: str) -> list[str]:
    chunk = f"{job.nodes}:ncpus={job.threads}:mem={job.mem_mb}mb"
    if job.gpus:
        chunk += f":ngpus={job.gpus}"
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
        nodes += f":gpus={job.gpus}"
        if model := job.options.get("gpu_model"):
            nodes += f":{model}"
    if extra := job.options.get("select_extra"):
        nodes += (":" if extra[0] not in ":+" else "") + extra
    # Torque counts mem over the whole job, the qsub of Slurm counts it a node
    mem = job.mem_mb if shutil.which("sbatch") else job.mem_mb * job.nodes
    return _qsub(job, ["-l", f"{nodes},mem={mem}mb,walltime={clock(job.walltime)}"], script)


def _qsub(job: Job, lines: list[str], script: str) -> list[str]:
    argv = ["qsub", "-N", job.name, *lines, "-j", "oe", "-o", job.log]
    for flag, word in (("-q", "queue"), ("-A", "account"), ("-P", "project")):
        if value := job.options.get(word):
            argv += [flag, value]
    return [*argv, *shlex.split(job.options.get("submit_extra", "")), script]


def _sbatch(job: Job, script: str) -> list[str]:
    minutes = -(-job.walltime // 60)
    argv = [
        *("sbatch", "--parsable", f"--job-name={job.name}", f"--nodes={job.nodes}"),
        *("--ntasks-per-node=1", f"--cpus-per-task={job.threads}", f"--mem={job.mem_mb}M"),
        *(f"--time={minutes}", f"--output={job.log}", "--open-mode=append"),
    ]
    if job.gpus:
        model = job.options.get("gpu_model")
        argv.append(f"--gres=gpu:{model + ':' if model else ''}{job.gpus}")
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


_REFUSALS = [
    (
        r"unknown queue|invalid partition|queue.*does not exist|non-?existent queue",
        "there is no such queue",
        "`qstat -Q` or `sinfo -s` lists the queues; set VLPRM_QUEUE or `queue` in the profile",
    ),
    (
        r"unknown resource|undefined attribute",
        "the scheduler does not know a resource that is asked",
        "check gpu_model and select_extra of the profile, or VLPRM_DIALECT",
    ),
    (
        r"illegal attribute or resource value|illegal -. value|invalid (time|mem|gres|generic)",
        "the scheduler cannot read a value that is asked",
        "check the rule's resources and those of the profile",
    ),
    (
        r"violates queue|exceeds? (queue|server)|time ?limit|maxtime|qosmax",
        "more is asked than the queue allows",
        "set runtime_max and mem_mb_max in the profile, or take another queue",
    ),
    (
        r"not available|can ?not be satisfied|exceeds available",
        "no node of this cluster has what is asked",
        "lower the rule's mem_mb, gpu or threads with set-resources of the profile",
    ),
    (
        r"account|project|not permitted|unauthori[sz]ed|access .*denied|permission",
        "the scheduler refuses this user, account or project",
        "set VLPRM_ACCOUNT (-A) or VLPRM_PROJECT (-P) as your site asks",
    ),
]


def refusal(job: Job, said: str) -> UserError:
    """Why the scheduler did not take the job, with its own words."""
    said = " ".join(said.split())
    # the qsub of Slurm quotes its whole command line before it says what is wrong
    said = re.sub(r"^There was an error running .*? and the output was: ", "", said).strip("' ")
    what, cure = "the scheduler refused the job", "see its message"
    for pattern, meaning, advice in _REFUSALS:
        if re.search(pattern, said, re.IGNORECASE):
            what, cure = meaning, advice
            break
    queue = job.options.get("queue")
    where = f"job {job.name}" + (f", queue {queue}" if queue else "")
    return UserError(f"{what}: {said or 'no message'}", where=where, cure=cure)


UNREACHABLE = re.compile(
    r"cannot connect|can't connect|connection (refused|timed out|reset)|communication failure"
    r"|unable to contact|no permission to connect|server is (down|shutting)|timed out"
    r"|problem loading|end of file|unable to establish|batch protocol"
    r"|temporarily unavailable|try again",
    re.IGNORECASE,
)
"""What schedulers say when the server is away: a hiccup, never an answer about a job."""
