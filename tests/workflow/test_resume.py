"""A run killed with SIGKILL, in every stage and at random moments, ends with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.workflow.runs import Workdir, nano
from vlprm.ledger import running
from vlprm.ledger.file import LedgerFile, ledger_of

STAGES = (
    "prepare", "rollout", "estimate", "judge", "label", "examples", "train", "grade", "score",
    "rank", "search", "select", "metrics", "step_metrics", "costs", "tables", "figures",
    "cost_pages",
)  # fmt: skip
"""Every stage that the nano run goes through, by the folder (or file) of its logs."""


def started(workdir: Workdir, config: dict[str, Any], *arguments: str) -> subprocess.Popen[bytes]:
    """A run in a process group of its own."""
    return subprocess.Popen(
        workdir.command(config, "--nolock", *arguments),
        env=workdir.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def killed(workdir: Workdir, when: Callable[[], bool], later: float, limit: float = 120) -> bool:
    """Start a run, wait until ``when``, then ``later`` seconds, kill it whole; was it running?"""
    process = started(workdir, nano())
    deadline = time.monotonic() + limit
    while process.poll() is None and not when() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(later)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


@pytest.mark.slow
def test_killed_in_every_stage(nano_run: Workdir, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Workdir(tmp_path_factory.mktemp("killed"))
    logs = other.path / "logs" / nano()["run"]
    moments = np.random.default_rng(7)
    missed = []
    for stage in STAGES:

        def begun(stage: str = stage) -> bool:
            return (logs / stage).exists() or (logs / f"{stage}.log").exists()

        # a job takes about 3 s, most of it imports: before, while and after it writes
        if not killed(other, begun, later=float(moments.uniform(0, 3.5))):
            missed.append(stage)
    other.run(nano())
    assert len(missed) <= 1, f"the run had ended before it could be killed in {missed}"
    left = [path for path in other.path.rglob("*.tmp") if path.is_file()]
    assert all(path.name.startswith(".") for path in left)
    found = {name: sha for name, sha in other.digests().items() if not name.endswith(".tmp")}
    assert found == nano_run.digests()


def held(file: Path, batch: int, limit: float = 240) -> running.Running:
    """Wait until a stage's engine has this batch."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            found = running.Running.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            time.sleep(0.02)
            continue
        if found.batch == batch:
            return found
        time.sleep(0.02)
    raise AssertionError(f"the engine never had batch {batch}")


@pytest.mark.slow
def test_killed_in_the_middle_of_a_shard(tmp_path: Path) -> None:
    """Answered calls outlive the job, Snakemake's clearing up after it, and Snakemake."""
    config = nano()
    config["sources"]["matrix-train"]["data"] |= {"n": 600, "shard_size": 600}  # three batches
    target = "results/nano/rollouts/small/matrix-train/000.parquet"
    whole, other = Workdir(tmp_path / "whole"), Workdir(tmp_path / "killed")
    output = other.path / target
    noted = output.with_name(output.name + running.SUFFIX)
    log = other.path / "logs/nano/rollout/small/matrix-train/000.log"

    process = started(other, config, target)  # the job dies: its Snakemake deletes what it wrote
    job = held(noted, 2)
    os.kill(job.pid, signal.SIGKILL)
    assert process.wait(60)
    assert not output.exists()
    ledger = LedgerFile(ledger_of(output), "rollout")
    assert len(ledger) == 1
    ledger.close()

    process = started(other, config, target)  # all dies
    held(noted, 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    said = log.read_text()
    assert f"the last run died in batch 2 of 3 with 256 questions ({job.ids[0]} … " in said
    assert "attempt 2 of 3" in said

    other.run(config, target)
    said = log.read_text()
    assert "the last run died in batch 3 of 3 with 88 questions" in said
    assert "rollout: batch 3 of 3 done, 600 of 600 questions" in said
    assert "(2 of 3 batches from the ledger)" in said
    whole.run(config, target)
    assert other.digests() == whole.digests()
