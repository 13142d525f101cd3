"""What a scheduler says instead of a job id: not now, or no, and what a person can do then."""

from __future__ import annotations

import re

from vlprm.cluster.registry import Job
from vlprm.errors import UserError


class TryAgainError(UserError):
    """What may change later: a server that is away, a full queue, a job that is ending."""


UNREACHABLE = re.compile(
    r"cannot connect|can't connect|connection (refused|timed out|reset)|communication failure"
    r"|unable to contact|no permission to connect|server is (down|shutting)|timed out"
    r"|problem loading|end of file|unable to establish|batch protocol"
    r"|temporarily unavailable|try again",
    re.IGNORECASE,
)
"""What schedulers say when the server is away: a hiccup, never an answer about a job."""

FULL = re.compile(
    r"maximum number of jobs|limit of jobs|max ?(submit)? ?jobs? ?(per\w+)? ?(limit|exceeded)"
    r"|MaxSubmitJob",
    re.IGNORECASE,
)
"""What schedulers say when a user has as many jobs in a queue as the site allows."""

BAD_NAME = re.compile(r"illegal -N|job ?name|-N (value|option)|name .*too long", re.IGNORECASE)
"""What a qsub says that accepts 15 characters of a job's name and no more."""

_REFUSALS = [
    (
        r"unknown queue|invalid partition|queue.*does not exist|non-?existent queue",
        "there is no such queue",
        "`qstat -Q` or `sinfo -s` lists the queues; set VLPRM_QUEUE or `queue` in the profile",
    ),
    (
        r"unknown resource:? *\S*(gpu|gres|accelerator)|invalid generic resource",
        "the scheduler knows GPUs under another name",
        "set VLPRM_GPU_RESOURCE or gpu_resource to their name: pbsnodes -a, sinfo -o '%P %G'",
    ),
    (
        r"unknown resource|undefined attribute",
        "the scheduler does not know a resource that is asked",
        "check gpu_resource, gpu_model and select_extra of the profile, or VLPRM_DIALECT",
    ),
    (
        BAD_NAME.pattern,
        "the scheduler does not take the job's name",
        "names are made of the rule and its wildcards: shorten those in the configuration",
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
        "in the profile, lower the rule's mem_mb or gpu (set-resources) or cores (set-threads)",
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
