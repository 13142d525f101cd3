"""A run killed with SIGKILL at random moments, then rerun, ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.workflow.runs import Workdir, nano


def test_killed_runs_end_with_the_same_bytes(nano_run: Workdir, tmp_path: Path) -> None:
    other = Workdir(tmp_path / "killed")
    moments = random.Random(7)
    kills = 0
    for _ in range(6):
        process = subprocess.Popen(
            other.command(nano()),
            env=other.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + moments.uniform(8, 30)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        other.run(nano(), "--unlock")
    other.run(nano())
    assert kills > 0
    leftovers = [path for path in other.path.rglob("*.tmp") if path.is_file()]
    assert {
        k: v for k, v in other.digests().items() if not k.endswith(".tmp")
    } == nano_run.digests()
    assert all(path.name.startswith(".") for path in leftovers)
