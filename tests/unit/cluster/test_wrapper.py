"""What runs on a node, here in a process of its own without a scheduler."""

from __future__ import annotations

import contextlib
import os
import shutil
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
from vlprm.cluster.stopping import below

SOURCE = str(Path(vlprm.__file__).parents[1])


def start(
    body: str, number: str = "5", stdout: Any = subprocess.PIPE, **fields: Any
) -> tuple[Job, subprocess.Popen[str]]:
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
        stdout=stdout,
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


# plays the Snakemake inside the job: writes the rule down as finished when it ends with 0
SNAKEMAKE = """
import pathlib, signal, subprocess, time
signal.signal(signal.SIGTERM, lambda *_: None)
rule = "trap 'exit 0' TERM; echo half > out/a; : > up; /bin/sleep 60 & wait"
done = subprocess.run(["/bin/sh", "-c", rule]).returncode
time.sleep(0.3)
if done == 0:
    pathlib.Path("recorded").touch()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGXCPU])
def test_a_rule_that_ends_well_when_told_to_end_has_not_finished(
    scheduler: Scheduler, number: signal.Signals
) -> None:
    Path("out").mkdir()
    Path("out/folder").mkdir()
    Path("snakemake").write_text(SNAKEMAKE)
    job, process = start(
        f"{sys.executable} snakemake && exit 0 || exit 1", outputs=["out/a", "out/folder", "none"]
    )
    while not Path("up").exists():
        time.sleep(0.05)
    told = below({process.pid})
    assert len(told) >= 3
    os.kill(process.pid, number)
    for pid in told:  # the scheduler tells all of them
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    process.communicate(timeout=60)
    ended = Registry().ended(job) or {}
    assert (ended["exit"], ended["signal"]) == (128 + number, number.name)
    time.sleep(0.5)
    assert not Path("recorded").exists()
    assert not list(Path("out").iterdir())


def test_the_shell_may_be_told_first(scheduler: Scheduler) -> None:
    job, process = start("kill -TERM $$")
    process.communicate(timeout=60)
    ended = Registry().ended(job) or {}
    assert (ended["exit"], ended["signal"]) == (143, "SIGTERM")


def test_what_a_killed_shell_leaves_behind(scheduler: Scheduler) -> None:
    Path("a").write_text("half")
    job, process = start("kill -9 $$", outputs=["a"])
    process.communicate(timeout=60)
    assert (Registry().ended(job) or {})["exit"] == 137
    assert not Path("a").exists()


def test_what_a_rule_that_fails_leaves_behind_is_snakemakes_to_remove(
    scheduler: Scheduler,
) -> None:
    Path("a").write_text("kept with --keep-incomplete")
    _, process = start("exit 1", outputs=["a"])
    process.communicate(timeout=60)
    assert Path("a").exists()


def test_a_log_that_was_removed_is_brought_back(scheduler: Scheduler) -> None:
    log = Path("logs/cluster/a.log").absolute()
    log.parent.mkdir(parents=True)
    with log.open("w") as printed:
        _, process = start(
            "echo the first words; : > up; while [ ! -e go ]; do /bin/sleep 0.1; done",
            stdout=printed,
            log=str(log),
        )
    while not Path("up").exists():
        time.sleep(0.05)
    shutil.rmtree("logs")
    Path("go").touch()
    assert process.wait(timeout=60) == 0
    assert "the first words" in log.read_text()


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
