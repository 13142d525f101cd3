"""Start-up, work and memory of a stage."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from vlprm.io import meter
from vlprm.io.meter import metered


def test_start_up_work_and_what_is_aside() -> None:
    with metered(on_cards=False) as running:
        time.sleep(0.2)
        meter.engine_ready()
        time.sleep(0.4)
        with meter.aside():
            time.sleep(0.3)
        meter.saved_in_full_batches(0.1)
        meter.work_done()
        time.sleep(0.2)
        meter.note("share", 0.5)
        cost = running.cost()
    assert cost.startup_seconds >= 0.4
    assert 0.25 < cost.work_seconds < 0.6
    assert cost.notes == {"share": 0.5}
    assert cost.peak_card_gb is None
    assert cost.peak_host_gb > 0.01
    meter.note("nobody", 1.0)  # no stage runs: nothing happens


def test_memory_of_all_descendants() -> None:
    script = (
        "import subprocess, sys, time; held = bytearray(60_000_000);"
        " print('there', flush=True); time.sleep(60)"
    )
    own = meter.tree_bytes(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert meter.tree_bytes(os.getpid()) - own > 55_000_000
    finally:
        child.kill()
        child.wait()
