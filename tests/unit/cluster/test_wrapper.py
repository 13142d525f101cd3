"""What runs on a node, here in a process of its own without a scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import vlprm
from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.registry import Job, Registry

SOURCE = str(Path(vlprm.__file__).parents[1])


def start(body: str, number: str = "5", **fields: Any) -> tuple[Job, subprocess.Popen[str]]:
    """Start the wrapper around a jobscript as job ``number``."""
    known: dict[str, Any] = {"ticket": "t.1", "name": "a", "rule": "a", "key": "k", "digest": "d"}
    job = Job(**(known | {"dialect": "nodes", "id": number} | fields))
    script = Path("job.sh").absolute()
    script.write_text(body)
    registry = Registry()
    registry.write("specs", job.ticket, {"job": asdict(job), "jobscript": str(script)})
    process = subprocess.Popen(
        [sys.executable, "-m", "vlprm.cluster.wrapper", str(registry.path("specs", job.ticket))],
        env=os.environ | {"PYTHONPATH": SOURCE, "PBS_JOBID": number},
        stdout=subprocess.PIPE,
        text=True,
    )
    return job, process


@pytest.mark.parametrize("code", [0, 3])
def test_exit_status_is_left_behind(scheduler: Scheduler, code: int) -> None:
    job, process = start(f"exit {code}")
    process.communicate(timeout=60)
    assert process.returncode == code
    assert (Registry().ended(job) or {})["exit"] == code


def test_a_sigterm_is_passed_on_and_remembered(scheduler: Scheduler) -> None:
    job, process = start("echo up > up; while :; do /bin/sleep 0.1; done")
    while not Path("up").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    ended = Registry().ended(job) or {}
    assert (ended["exit"], ended["signal"]) == (143, "SIGTERM")


def test_containers_get_what_cleanenv_would_drop(scheduler: Scheduler) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    _, process = start(
        'echo "$APPTAINERENV_OMP_NUM_THREADS $APPTAINERENV_HF_HUB_OFFLINE"', threads=3
    )
    assert "3 1" in process.communicate(timeout=60)[0]


def test_one_ticket_runs_once(scheduler: Scheduler) -> None:
    Registry().write("started", "t.1", {"id": "4"})
    job, process = start("exit 3")
    assert "does nothing" in process.communicate(timeout=60)[0]
    assert (process.returncode, Registry().ended(job)) == (0, None)
    # a node that died and the job put back into the queue: same id, runs again
    Registry().write("started", "t.1", {"id": "5"})
    job, process = start("exit 0")
    process.communicate(timeout=60)
    assert (Registry().ended(job) or {})["exit"] == 0


def test_sick_gpus_move_the_job(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLPRM_GPU_CHECK", "echo Xid 79; exit 1")
    scheduler.answer("qsub *", "6\n")
    scheduler.answer("qstat *", "Job Id: 6\n\tjob_state = R\n\n")
    job, process = start("exit 0", gpus=1, run="r")
    process.communicate(timeout=60)
    assert process.returncode == 99
    after = Registry().latest(job)
    assert (after.id, after.hop, after.name, after.key) == ("6", 1, "a", "k")
    assert after.ticket != job.ticket
    assert Registry().ended(job) is None
    assert Registry().ids_of("r") == ["6"]


def test_the_fourth_sick_allocation_fails(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLPRM_GPU_CHECK", "echo Xid 79; exit 1")
    job, process = start("exit 0", gpus=1, hop=3)
    process.communicate(timeout=60)
    ended = Registry().ended(job) or {}
    assert ended["exit"] == 99
    assert ended["why"].startswith("GPU health check failed on 4 allocations, last on ")


def test_nodes_that_may_not_submit_fail_at_once(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLPRM_GPU_CHECK", "exit 1")
    scheduler.answer("qsub *", err="qsub: Access from host not allowed", code=1)
    job, process = start("exit 0", gpus=1)
    process.communicate(timeout=60)
    assert "could not be resubmitted" in (Registry().ended(job) or {})["why"]
