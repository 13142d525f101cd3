"""One question for all jobs; what is left is deleted at the end, kept after a SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import vlprm
from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.registry import Job, Registry
from vlprm.cluster.sidecar import look
from vlprm.cluster.status import state_file

Submitted = Callable[..., Job]


def test_one_question_for_all_jobs(scheduler: Scheduler, submitted: Submitted) -> None:
    for number in range(5):
        submitted(str(number), dialect="nodes", run="r")
    Registry().write("ended", "t4", {"exit": 0})
    scheduler.answer("qstat *", "".join(f"Job Id: {n}\n\tjob_state = R\n\n" for n in range(4)))
    look(Registry(), "r", set())
    assert scheduler.asked == ["qstat -f 0 1 2 3"]
    jobs = json.loads(state_file(Registry(), "r").read_text())["jobs"]
    assert {job["state"] for job in jobs.values()} == {"running"}
    assert len(jobs) == 4


def test_a_log_folder_that_was_removed_comes_back(
    scheduler: Scheduler, submitted: Submitted
) -> None:
    submitted("1", dialect="nodes", run="r", log=str(Path("logs/cluster/a.log").absolute()))
    scheduler.answer("qstat *", "Job Id: 1\n\tjob_state = R\n\n")
    look(Registry(), "r", set())
    assert Path("logs/cluster").is_dir()


# plays Snakemake: starts the sidecar, submits one job, then ends it or is killed
PARENT = """
import os, signal, subprocess, sys, time
sidecar = subprocess.Popen([sys.executable, "-m", "vlprm.cluster.sidecar"], stdout=subprocess.PIPE)
ids = sidecar.stdout.readline().decode().strip()
open(ids, "a").write("5\\n")
print(sidecar.pid, flush=True)
time.sleep(1)
if sys.argv[1] == "end":
    sidecar.terminate(); sidecar.wait()
elif sys.argv[1] == "node":
    time.sleep(60)
else:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("how", "deleted"), [("end", True), ("kill", False), ("node", False)])
def test_end_of_the_run(
    scheduler: Scheduler, submitted: Submitted, how: str, deleted: bool
) -> None:
    submitted("5", dialect="nodes")
    scheduler.answer("qstat *", "Job Id: 5\n\tjob_state = R\n\n")
    scheduler.answer("qdel *")
    source = str(Path(vlprm.__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, how],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    sidecar = int(parent.stdout.readline())
    if how == "node":  # a login node going down tells everybody
        time.sleep(1)
        os.kill(sidecar, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{sidecar}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{sidecar}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.1)
    assert ("qdel 5" in scheduler.asked) is deleted
    parent.kill()
    parent.wait()
    assert not list(Registry().root.glob("runs/*.state.json"))
