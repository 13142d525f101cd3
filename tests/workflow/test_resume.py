"""A run killed with SIGKILL, in every stage and at random moments, ends with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.workflow.runs import Workdir, nano

STAGES = (
    "prepare", "rollout", "estimate", "judge", "label", "examples", "train", "grade", "score",
    "rank", "search", "select", "metrics", "step_metrics", "tables", "figures",
)  # fmt: skip
"""Every stage that the nano run goes through, by the folder (or file) of its logs."""


def killed(workdir: Workdir, when: Callable[[], bool], later: float, limit: float = 120) -> bool:
    """Start a run, wait until ``when``, then ``later`` seconds, kill it whole; was it running?"""
    process = subprocess.Popen(
        workdir.command(nano(), "--nolock"),
        env=workdir.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
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
