"""From Snakemake's jobscript to the request to the scheduler."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlprm.cluster.registry import Job
from vlprm.errors import UserError

NAME_LENGTH = 60
# resources that are words for the scheduler, and the variables that set them for a whole run
WORDS = {
    "queue": "VLPRM_QUEUE",
    "account": "VLPRM_ACCOUNT",
    "project": "VLPRM_PROJECT",
    "gpu_model": "VLPRM_GPU_MODEL",
    "gpu_resource": "VLPRM_GPU_RESOURCE",
    "select_extra": "VLPRM_SELECT_EXTRA",
    "submit_extra": "VLPRM_SUBMIT_EXTRA",
}


DIGESTED = ("rule", "input", "output", "wildcards", "params")


def properties_of(jobscript: Path) -> dict[str, Any]:
    """The job's properties, from the line that Snakemake puts into every jobscript.

    Raises UserError for a file that is not a jobscript.
    """
    try:
        text = jobscript.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", where=str(jobscript)) from None
    found = re.search(r"^# properties = (\{.*\})$", text, re.MULTILINE)
    if found is None:
        raise UserError(
            "no line '# properties = {...}'",
            where=str(jobscript),
            cure="Snakemake calls this command; a jobscript of your own needs that line",
        )
    value: dict[str, Any] = json.loads(found[1])
    return value


def work_key(properties: Mapping[str, Any]) -> str:
    """The name of a piece of work: its rule and wildcards; of a group job, its outputs."""
    if properties.get("type") == "group":
        return _sha(properties.get("output"))
    return _sha([_rule(properties), dict(properties.get("wildcards") or {})])


def request(
    properties: Mapping[str, Any],
    dialect: str,
    environment: Mapping[str, str] | None = None,
    ran_out: Mapping[str, int] | None = None,
) -> Job:
    """What one job asks for.

    ``ran_out`` counts how often this work exceeded its ``memory`` or ``walltime`` in this run.
    After one time twice as much is asked for, after two times three times as much; the resource
    ``scale`` limits the factor. ``mem_mb``, ``gpu`` and threads are per node where ``nodes`` asks
    for several. Raises UserError for a resource that is not a number.
    """
    env = os.environ if environment is None else environment
    resources = properties.get("resources") or {}
    rule = _rule(properties)
    scale = max(1, _number(resources, "scale", 1, rule))
    ran_out = ran_out or {}
    minutes = _number(resources, "runtime", 60, rule)
    minutes *= min(scale, 1 + ran_out.get("walltime", 0))
    minutes = min(minutes, _number(resources, "runtime_max", minutes, rule))
    mem_mb = _number(resources, "mem_mb", 1000, rule)
    mem_mb *= min(scale, 1 + ran_out.get("memory", 0))
    mem_mb = min(mem_mb, _number(resources, "mem_mb_max", mem_mb, rule))
    wildcards = dict(properties.get("wildcards") or {})
    options = {
        word: str(value)
        for word, variable in WORDS.items()
        if (value := resources.get(word) or env.get(variable))
    }
    return Job(
        ticket=f"{_plain(rule)[:40]}.{time.time_ns() // 1_000_000:x}.{secrets.token_hex(4)}",
        name=job_name(rule, wildcards),
        rule=rule,
        key=work_key(properties),
        digest=_sha({part: properties.get(part) for part in DIGESTED}),
        dialect=dialect,
        threads=int(resources.get("_cores") or properties.get("threads") or 1),
        mem_mb=mem_mb,
        walltime=minutes * 60,
        gpus=_number(resources, "gpu", 0, rule),
        nodes=max(1, _number(resources, "nodes", 1, rule)),
        options=options,
        rule_logs=[str(path) for path in properties.get("log") or []],
        outputs=[str(path) for path in properties.get("output") or []],
    )


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """A name for people to read in a queue listing: rule first, then its wildcards."""
    return _plain("-".join([rule, *map(str, wildcards.values())]))[:NAME_LENGTH].strip("-")


def _rule(properties: Mapping[str, Any]) -> str:
    return str(properties.get("rule") or properties.get("groupid") or "job")


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)


def _number(resources: Mapping[str, Any], name: str, default: int, rule: str) -> int:
    value = resources.get(name, default)
    try:
        return int(float(value))
    except (TypeError, ValueError):
        raise UserError(
            f"resource {name}={value!r} is no number",
            where=f"rule {rule}",
            cure="give minutes for runtime, MB for mem_mb, a count for gpu, nodes and scale",
        ) from None


def _sha(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]
