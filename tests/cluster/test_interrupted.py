"""Ctrl-C deletes what was submitted; after a SIGKILL the next run takes over what still runs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.flow import Flow, wait_for
from tests.cluster.slurm import Slurm

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

# more jobs than the two nodes have room for: some run, some wait
FLOW = """
rule all:
    input: expand("out/{i}", i=range(6))

rule one:
    output: "out/{i}"
    params: seconds=config.get("seconds", 8)
    resources: mem_mb=25000, runtime=5
    shell:
        "echo {params.seconds} >> tries.{wildcards.i}; sleep {params.seconds};"
        " echo {wildcards.i} > {output}"
"""
PROFILES = ["pbs", "slurm"]


def started(flow: Flow) -> int:
    return len(list(flow.folder.glob("tries.*")))


@pytest.mark.parametrize("profile", PROFILES)
def test_ctrl_c_cancels_everything(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    flow = Flow(tmp_path / "flow", slurm, profile, FLOW)
    process = flow.start("--config", "seconds=300")
    wait_for(lambda: started(flow) >= 2 and len(flow.facts("jobs")) == 6, "jobs that run")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    wait_for(lambda: not flow.ids("RUNNING", "PENDING", "COMPLETING"), "an empty queue", 40)
    assert "cannot access local variable" not in flow.printed


@pytest.mark.parametrize("profile", PROFILES)
def test_sigkill_then_rerun_takes_over(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    flow = Flow(tmp_path / "flow", slurm, profile, FLOW)
    process = flow.start()
    wait_for(lambda: started(flow) >= 2 and len(flow.facts("jobs")) == 6, "jobs that run")
    process.kill()
    process.wait()
    time.sleep(2)
    before = set(flow.ids("RUNNING", "PENDING"))
    assert len(before) == 6, "a kill leaves the jobs alone"
    assert flow.run("--unlock") == 0
    assert flow.run() == 0, flow.printed[-3000:]
    assert {fact["id"] for fact in flow.facts("jobs")} == before, "no job was submitted twice"
    for number in range(6):
        assert (flow.folder / f"tries.{number}").read_text() == "8\n"
        assert (flow.folder / f"out/{number}").read_text() == f"{number}\n"


def test_sigkill_then_rerun_with_other_parameters(slurm: Slurm, tmp_path: Path) -> None:
    flow = Flow(tmp_path / "flow", slurm, "pbs", FLOW)
    process = flow.start("--config", "seconds=300")
    wait_for(lambda: started(flow) >= 2 and len(flow.facts("jobs")) == 6, "jobs that run")
    process.kill()
    process.wait()
    before = set(flow.ids("RUNNING", "PENDING"))
    assert flow.run("--unlock") == 0
    assert flow.run("--config", "seconds=1") == 0, flow.printed[-3000:]
    assert not before & set(flow.ids("RUNNING", "PENDING")), "the old jobs are gone"
    for number in range(6):
        assert (flow.folder / f"tries.{number}").read_text().endswith("1\n")


def test_a_node_that_is_lost(slurm: Slurm, tmp_path: Path) -> None:
    """The scheduler puts the job back into the queue under its id; it starts over elsewhere."""
    flow = Flow(tmp_path / "flow", slurm, "pbs", FLOW)
    process = flow.start("out/0")
    try:
        wait_for(lambda: started(flow), "the job to run")
        number = flow.facts("jobs")[0]["id"]
        node = slurm.client("squeue", "-h", "-j", number, "-o", "%N").strip()
        slurm.client("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        wait_for(lambda: flow.ids("PENDING"), "the job back in the queue")
        # Slurm lets it wait two minutes, until the node has forgotten it; some seconds do here
        time.sleep(6)
        slurm.client("scontrol", "update", f"jobid={number}", "starttime=now")
        assert process.wait(timeout=150) == 0, flow.printed[-3000:]
    finally:
        process.kill()
        # (it may have reported back by itself)
        slurm.client("scontrol", "update", f"nodename={node}", "state=resume", check=False)
    assert [job["id"] for job in flow.facts("jobs")] == [number]
    assert (flow.folder / "tries.0").read_text() == "8\n8\n"
    assert (flow.folder / "out/0").read_text() == "0\n"
