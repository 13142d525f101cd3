"""Ctrl-C deletes what was submitted; after a SIGKILL the next run takes over what still runs."""

from __future__ import annotations

import os
import shutil
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
# told to end, ``polite`` ends well with half of its work, and ``stubborn`` goes on until killed
HALVES = """
rule all:
    input: "out/polite", "out/stubborn"

rule polite:
    output: "out/polite"
    resources: mem_mb=800, runtime=5
    shell:
        "trap 'exit 0' TERM; echo half > {output}; echo up > up.polite;"
        " [ -e go ] || {{ sleep 300 & wait; }}; echo whole > {output}"

rule stubborn:
    output: "out/stubborn"
    resources: mem_mb=800, runtime=5
    shell:
        "trap '' TERM; echo half > {output}; echo up > up.stubborn;"
        " for i in $(seq 300); do [ -e go ] && break; sleep 1; done; echo whole > {output}"
"""
LOGGED = """
rule all:
    input: "out/a"

rule a:
    output: "out/a"
    resources: mem_mb=800, runtime=5
    shell: "echo the first words; touch up.a; while [ ! -e go ]; do sleep 0.2; done; touch {output}"
"""


def started(flow: Flow) -> int:
    return len(list(flow.folder.glob("tries.*")))


@pytest.mark.parametrize("profile", PROFILES)
def test_ctrl_c_cancels_everything(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    flow = Flow(tmp_path / "flow", slurm, profile, FLOW)
    process = flow.start("--config", "seconds=300")
    wait_for(lambda: started(flow) >= 2 and len(flow.facts("jobs")) == 6, "jobs that run")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=180) != 0
    wait_for(lambda: not flow.ids("RUNNING", "PENDING", "COMPLETING"), "an empty queue", 120)
    assert "cannot access local variable" not in flow.printed


@pytest.mark.parametrize("profile", PROFILES)
def test_sigkill_then_rerun_takes_over(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    flow = Flow(tmp_path / "flow", slurm, profile, FLOW)
    # long enough that none ends before the second start, on a machine that is busy too
    process = flow.start("--config", "seconds=20")
    wait_for(lambda: started(flow) >= 2 and len(flow.facts("jobs")) == 6, "jobs that run")
    process.kill()
    process.wait()
    time.sleep(2)
    before = set(flow.ids("RUNNING", "PENDING"))
    assert len(before) == 6, "a kill leaves the jobs alone"
    assert flow.run("--unlock") == 0
    assert flow.run("--config", "seconds=20") == 0, flow.printed[-3000:]
    assert {fact["id"] for fact in flow.facts("jobs")} == before, "no job was submitted twice"
    for number in range(6):
        assert (flow.folder / f"tries.{number}").read_text() == "20\n"
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
        assert process.wait(timeout=400) == 0, flow.printed[-3000:]
    finally:
        process.kill()
        # (it may have reported back by itself)
        slurm.client("scontrol", "update", f"nodename={node}", "state=resume", check=False)
    assert [job["id"] for job in flow.facts("jobs")] == [number]
    assert (flow.folder / "tries.0").read_text() == "8\n8\n"
    assert (flow.folder / "out/0").read_text() == "0\n"


@pytest.mark.parametrize("profile", PROFILES)
def test_half_an_output_does_not_count(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    """Ctrl-C, and the same command at once: it waits for the dying jobs and starts them over."""
    flow = Flow(tmp_path / "flow", slurm, profile, HALVES)
    process = flow.start()
    wait_for(lambda: len(list(flow.folder.glob("up.*"))) == 2, "both jobs to run")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=180) != 0
    first = {fact["id"] for fact in flow.facts("jobs")}
    (flow.folder / "go").touch()
    assert flow.run() == 0, flow.printed[-3000:]
    for name in ("polite", "stubborn"):
        assert (flow.folder / "out" / name).read_text() == "whole\n"
    assert {fact["id"] for fact in flow.facts("jobs")} > first, "nothing was taken over"
    assert flow.facts("failures") == []
    assert "Error in rule" not in flow.printed


def test_half_an_output_does_not_count_where_snakemake_is_gone(
    slurm: Slurm, tmp_path: Path
) -> None:
    flow = Flow(tmp_path / "flow", slurm, "pbs", HALVES)
    process = flow.start()
    wait_for(lambda: len(list(flow.folder.glob("up.*"))) == 2, "both jobs to run")
    process.kill()
    process.wait()
    slurm.client("qdel", *(fact["id"] for fact in flow.facts("jobs")))
    wait_for(lambda: not flow.ids("RUNNING", "PENDING", "COMPLETING"), "an empty queue", 120)
    marked = {fact["signal"] for fact in flow.facts("ended")}
    assert marked == {"SIGTERM"}
    assert not (flow.folder / "out/polite").exists()
    (flow.folder / "go").touch()
    assert flow.run("--unlock") == 0
    assert flow.run() == 0, flow.printed[-3000:]
    for name in ("polite", "stubborn"):
        assert (flow.folder / "out" / name).read_text() == "whole\n"


def test_status_after_ctrl_c(slurm: Slurm, tmp_path: Path) -> None:
    flow = Flow(tmp_path / "flow", slurm, "slurm", FLOW)
    process = flow.start("--config", "seconds=300")
    wait_for(lambda: started(flow) >= 2 and len(flow.facts("jobs")) == 6, "jobs that run")
    assert "queue: " in flow.status()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=180)
    wait_for(lambda: not flow.ids("RUNNING", "PENDING", "COMPLETING"), "an empty queue", 120)
    told = flow.status()
    assert "queue: no job of ours\n" in told
    assert "cancelled: 6" in told
    assert "unknown" not in told


def test_a_job_deleted_in_the_queue(slurm: Slurm, tmp_path: Path) -> None:
    flow = Flow(tmp_path / "flow", slurm, "pbs", FLOW.replace("mem_mb=25000", "mem_mb=59000"))
    process = flow.start("out/0", "out/1", "out/2", "--config", "seconds=20")
    try:
        wait_for(lambda: flow.ids("PENDING") and started(flow), "a job that waits")
        (waiting,) = flow.ids("PENDING")
        slurm.client("qdel", waiting)
        assert process.wait(timeout=300) == 1
    finally:
        process.kill()
    (fact,) = flow.facts("failures")
    assert (fact["id"], fact["reason"]) == (waiting, "deleted by qdel")


@pytest.mark.parametrize("profile", PROFILES)
def test_logs_removed_while_a_job_runs(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    flow = Flow(tmp_path / "flow", slurm, profile, LOGGED)
    process = flow.start()
    try:
        wait_for((flow.folder / "up.a").exists, "the job to run")
        shutil.rmtree(flow.folder / "logs")
        (flow.folder / "go").touch()
        assert process.wait(timeout=180) == 0, flow.printed[-3000:]
    finally:
        process.kill()
    (log,) = flow.folder.glob("logs/cluster/*.log")
    assert "the first words" in log.read_text()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_complete_workflow_ends_at_once(slurm: Slurm, tmp_path: Path, profile: str) -> None:
    flow = Flow(tmp_path / "flow", slurm, profile, FLOW)
    assert flow.run("--config", "seconds=0") == 0, flow.printed[-3000:]
    began = time.monotonic()
    assert flow.run("--config", "seconds=0") == 0
    assert time.monotonic() - began < 20
    assert "Nothing to be done" in flow.printed


def test_a_name_of_gpus_that_the_cluster_has_not(slurm: Slurm, tmp_path: Path) -> None:
    flow = Flow(tmp_path / "flow", slurm, "slurm", FLOW.replace("mem_mb=25000", "gpu=1"))
    assert flow.run("out/0", "--retries", "2", VLPRM_GPU_RESOURCE="accel") == 1
    said = [line for line in flow.printed.splitlines() if line.startswith("error: job one-0")]
    assert len(said) == 1, "a refusal is final"
    assert "the scheduler knows GPUs under another name" in said[0]
    assert "set VLPRM_GPU_RESOURCE" in flow.printed
