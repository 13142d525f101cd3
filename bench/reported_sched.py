"""Reported inputs about schedulers: what our commands make of them, beside what is right.

A part of ``reported_inputs.py``. Each case is played by scripted commands on PATH, through the
functions that ``vlprm-cluster-submit`` and ``vlprm-cluster-status`` are.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vlprm.cluster.registry import Job, Registry
from vlprm.cluster.status import status
from vlprm.cluster.submit import submit
from vlprm.errors import UserError

Seen = tuple[bool, str]
_PROPERTIES = {
    "type": "single", "rule": "rollout", "wildcards": {"policy": "small", "shard": "matrix-000"},
    "input": [], "output": ["out"], "params": {}, "threads": 1, "log": [], "resources": {},
}  # fmt: skip
# takes a name of up to 15 characters, as Torque's and older PBS Pro's do
_SHORT_NAMES = """\
while [ $# -gt 0 ]; do [ "$1" = -N ] && name=$2; shift; done
[ ${#name} -le 15 ] || { echo "qsub: illegal -N value" >&2; exit 1; }
echo 7.torque
"""


def slurm_end(case: dict[str, str]) -> Seen:
    """An end that only Slurm's accounting tells: ``ID|STATE|STATUS:SIGNAL``."""
    row = re.search(r"(\d+)\|([^|]+)\|(\d+:\d+)", case["input"])
    if row is None:
        return False, f"no row of sacct in: {case['input']}"
    commands = {
        "squeue": "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1",
        "sacct": f"echo {shlex.quote(row[0])}",
    }
    with _scripted(commands):
        job = Job("t", "a", "a", "k", "d", "slurm", id=row[1])
        Registry().add(job)
        word = status(Registry(), row[1])
        fact = Registry().read("failures", "t") or {}
    seen = ", ".join(filter(None, (word, str(fact.get("reason", "")))))
    wanted = re.sub(r" \(now .*", "", case["expected"]).replace("reason ", "").split(", ")
    return all(part in seen for part in wanted), seen


def job_id(case: dict[str, str]) -> Seen:
    """A job id inside other text."""
    printed = _printed(case["input"])
    dialect = "slurm" if "sbatch" in case["input"] else "select"
    command = "sbatch" if dialect == "slurm" else "qsub"
    seen = _submitted({command: f"printf '%s\\n' {shlex.quote(printed)}"}, dialect)
    return seen == case["expected"], seen


def job_name(case: dict[str, str]) -> Seen:
    """A qsub that takes short names alone: the job is submitted, or the cure speaks of names."""
    told = [_submitted({"qsub": _SHORT_NAMES}, dialect) for dialect in ("nodes", "select")]
    right = all(seen == "7.torque" or "name" in seen for seen in told)
    return right, " and ".join(dict.fromkeys(told))


CHECKS: dict[str, Callable[[dict[str, str]], Seen]] = {
    "slurm-end": slurm_end,
    "job-id": job_id,
    "job-name": job_name,
}


def _printed(told: str) -> str:
    """What a command printed, from the words about it: quoted lines, or ``prints WORD,``."""
    first = re.search(r"prints ([^\s',]+),", told)
    return "\n".join([*([first[1]] if first else []), *re.findall(r"'([^']*)'", told)])


def _submitted(commands: Mapping[str, str], dialect: str) -> str:
    with _scripted(commands):
        script = Path("job.sh")
        script.write_text(f"#!/bin/sh\n# properties = {json.dumps(_PROPERTIES)}\ntrue\n")
        try:
            return submit(script, dialect)
        except UserError as error:
            return " ".join(str(error).split())


@contextlib.contextmanager
def _scripted(commands: Mapping[str, str]) -> Iterator[None]:
    """A folder to work in, and these commands (bodies of ``sh``) alone on PATH."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        bin_dir = Path(folder, "bin")
        bin_dir.mkdir()
        for name, body in commands.items():
            (bin_dir / name).write_text(f"#!/bin/sh\n{body}\n")
            (bin_dir / name).chmod(0o755)
        for name in [name for name in os.environ if name.startswith(("VLPRM_", "SNAKEMAKE_"))]:
            del os.environ[name]
        os.environ["PATH"] = str(bin_dir)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
