"""Every way in which a job ends, on a real scheduler: reported with its reason, or tried again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.flow import Flow, wait_for
from tests.cluster.slurm import Slurm
from tests.workflow.runs import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

FLOW = """
rule all:
    input:
        expand("out/{name}", name=["walltime", "memory", "deleted", "fails"]),
        expand("out/{name}", name=["gpu", "nodes", "queue"]),

rule walltime:
    output: "out/walltime"
    resources: mem_mb=800, runtime=1
    shell: "sleep 75; touch {output}"

rule memory:
    output: "out/memory"
    resources: mem_mb=500, runtime=3
    shell: "python -c 'import time; held = bytearray(600 * 2**20); time.sleep(6)'; touch {output}"

rule deleted:
    output: "out/deleted"
    resources: mem_mb=800, runtime=3
    shell: "[ -e deleted.runs ] || {{ touch deleted.runs; sleep 200; }}; touch {output}"

rule fails:
    output: "out/fails"
    log: "logs/toy/fails.log"
    resources: mem_mb=800, runtime=3
    shell: "echo no such planet > {log}; exit 7"

rule gpu:
    output: "out/gpu"
    resources: mem_mb=800, runtime=3, gpu=1
    shell: "echo ran >> gpu.runs; touch {output}"

rule nodes:
    output: "out/nodes"
    resources: mem_mb=1500, runtime=5, nodes=2, gpu=1
    shell:
        "python -m vlprm.cluster.launch --nodes {resources.nodes} --gpus {resources.gpu}"
        " python reduce.py {output}"

rule queue:
    output: "out/queue"
    resources: mem_mb=800, runtime=3, queue="nosuch"
    shell: "touch {output}"
"""
DELETE = {"pbs": "qdel", "slurm": "scancel"}
# the first GPU that is looked at is sick; says which one it was
CHECK = """\
[ "$SLURM_JOB_NUM_NODES" = 1 ] || exit 0
scontrol show job -d $SLURM_JOB_ID | grep -o 'Nodes=.*GRES=.*' >> gpu.checked
mkdir gpu.sick 2> /dev/null || exit 0
echo Xid 79: fallen off the bus >&2; exit 1
"""
REDUCE = """\
import os, sys
import torch, torch.distributed as group
group.init_process_group("gloo")
total = torch.tensor([group.get_rank() + 1.0])
group.all_reduce(total)
names = [None] * group.get_world_size()
group.all_gather_object(names, os.environ["SLURMD_NODENAME"])
if group.get_rank() == 0:
    open(sys.argv[1], "w").write(f"{total.item()} {sorted(names)}")
group.destroy_process_group()
"""


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory, slurm: Slurm) -> dict[str, Flow]:
    """The workflow above through both profiles at once; job ``deleted`` is deleted by hand."""
    folder = tmp_path_factory.mktemp("ends")
    flows = {name: Flow(folder / name, slurm, name, FLOW) for name in DELETE}
    running = {}
    try:
        for name, flow in flows.items():
            (flow.folder / "check.sh").write_text(CHECK)
            (flow.folder / "reduce.py").write_text(REDUCE)
            running[name] = flow.start("--retries", "1", VLPRM_GPU_CHECK="sh check.sh")
        for name, flow in flows.items():
            wait_for((flow.folder / "deleted.runs").exists, "the job to delete")
            number = next(job["id"] for job in flow.facts("jobs") if job["rule"] == "deleted")
            slurm.client(DELETE[name], number)
        for name, process in running.items():
            assert process.wait(timeout=300) == 1, flows[name].printed[-3000:]
    finally:
        for process in running.values():
            process.kill()
    return flows


@pytest.fixture(params=["pbs", "slurm"])
def flow(request: pytest.FixtureRequest, flows: dict[str, Flow]) -> Flow:
    return flows[request.param]


def test_every_end_has_its_reason(flow: Flow) -> None:
    found = sorted((fact["rule"], fact["reason"]) for fact in flow.facts("failures"))
    assert found == [
        ("deleted", "deleted by qdel"),
        ("fails", "exit status 1"),  # Snakemake's own, the rule's is in its log
        ("fails", "exit status 1"),
        ("memory", "over memory (asked 500 MB)"),
        ("walltime", "over walltime (asked 00:01:00)"),
    ]
    for _, reason in found:
        assert reason in flow.printed


def test_killed_jobs_are_tried_again_with_more(flow: Flow) -> None:
    for name in ("walltime", "memory", "deleted"):
        assert (flow.folder / "out" / name).exists()
        jobs = [fact["job"] for fact in flow.facts("specs") if fact["job"]["rule"] == name]
        first, second = sorted(jobs, key=lambda job: job["mem_mb"])
        assert second["mem_mb"] == 2 * first["mem_mb"]
        assert second["walltime"] == 2 * first["walltime"]


def test_sick_gpus_are_left_and_not_met_again(flow: Flow) -> None:
    checked = (flow.folder / "gpu.checked").read_text().splitlines()
    assert len(checked) == 2
    place = [(line.split()[0], line.split("GRES=")[1]) for line in checked]
    assert place[0] != place[1]  # another node, or another GPU of the same
    assert (flow.folder / "gpu.runs").read_text() == "ran\n"
    assert len(flow.facts("moved")) == 1
    assert (flow.folder / "out/gpu").exists()


def test_one_training_over_two_nodes(flow: Flow) -> None:
    assert (flow.folder / "out/nodes").read_text() == "3.0 ['n1', 'n2']"


def test_a_wrong_queue_is_one_clear_line(flow: Flow) -> None:
    said = [line for line in flow.printed.splitlines() if "there is no such queue" in line]
    assert said
    assert said[0].startswith("error: job queue, queue nosuch: there is no such queue: ")
    assert not [fact for fact in flow.facts("jobs") if fact["rule"] == "queue"]


def test_status_command(flow: Flow) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vlprm.cli", "status", "--directory", str(flow.folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "progress: 5 of 8 jobs done (62 %), over" in done.stdout
    assert "queue: no job of ours" in done.stdout
    assert "failures: 2" in done.stdout  # the others have succeeded since
    assert "no such planet" in done.stdout
    assert "there is no such queue" in done.stdout


def test_nothing_is_left_in_the_queue(flow: Flow) -> None:
    assert flow.ids("RUNNING", "PENDING") == []
    assert not list(Path(flow.folder).rglob("*.tmp"))
