"""A workflow whose jobs end in every way, and its run through both profiles at once."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.flow import Flow, wait_for
from tests.cluster.slurm import Slurm

FLOW = """
rule all:
    input:
        expand("out/{name}", name=["walltime", "memory", "deleted", "fails"]),
        expand("out/{name}", name=["gpu", "nodes", "queue"]),

rule walltime:
    output: "out/walltime"
    resources: mem_mb=800, runtime=1
    shell: "sleep 100; touch {output}"  # Slurm ends it after 60 to 90 s, then gives it 120

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
    resources: mem_mb=800, runtime=20, gpu=1
    shell: "echo ran >> gpu.runs; touch {output}"

rule nodes:
    input: "out/gpu"  # a job for every node must not wait for a GPU that is held
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


def run_ends(folder: Path, slurm: Slurm) -> dict[str, Flow]:
    """Run it through profiles/pbs and profiles/slurm; job ``deleted`` is deleted by hand."""
    flows = {name: Flow(folder / name, slurm, name, FLOW) for name in DELETE}
    running = {}
    try:
        for name, flow in flows.items():
            (flow.folder / "check.sh").write_text(CHECK)
            (flow.folder / "reduce.py").write_text(REDUCE)
            running[name] = flow.start(
                *("--retries", "1"),
                VLPRM_GPU_CHECK="sh check.sh",
                VLPRM_HOLD_SECONDS="900",  # other jobs may fill both nodes for a while
            )
        for name, flow in flows.items():
            wait_for((flow.folder / "deleted.runs").exists, "the job to delete")
            number = next(job["id"] for job in flow.facts("jobs") if job["rule"] == "deleted")
            slurm.client(DELETE[name], number)
        for name, process in running.items():
            assert process.wait(timeout=900) == 1, flows[name].printed[-3000:]
    finally:
        for process in running.values():
            process.kill()
    return flows
