"""No scheduler, no answer, a wrong queue; what qstat and sinfo print is read as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.preflight.machines import command, machine_of, only
from vlprm.preflight.finding import Finding, report
from vlprm.preflight.machine import Machine
from vlprm.preflight.scheduler import check_cluster_gpus, check_scheduler, pbs_queues

QSTAT = """\
Queue              Max   Tot Ena Str   Que   Run   Hld   Wat   Trn   Ext Type
---------------- ----- ----- --- --- ----- ----- ----- ----- ----- ----- ----
workq                0     3 yes yes     1     2     0     0     0     0 Exec
gpu_a100_very_lo     0     0 yes yes     0     0     0     0     0     0 Exec
drained              0     0 yes  no     0     0     0     0     0     0 Exec"""
SINFO = "cpu up\ngpu up\nold down"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return only(monkeypatch, tmp_path / "bin")


def pbs(tmp_path: Path, queue: str = "workq") -> Machine:
    return machine_of(
        tmp_path,
        executor="cluster-generic",
        cluster_generic_submit_cmd="qsub",
        default_resources={"queue": queue},
    )


def slurm(tmp_path: Path, partition: str) -> Machine:
    resources = [f"slurm_partition={partition}", "mem_mb=200"]
    return machine_of(tmp_path, executor="slurm", default_resources=resources)


def by_name(machine: Machine) -> dict[str, Finding]:
    return {item.name: item for item in check_scheduler(machine)}


def pbs_commands(path: Path, **qstat: object) -> None:
    for name in ("qsub", "qdel"):
        command(path, name)
    command(path, "qstat", **qstat)  # type: ignore[arg-type]


def test_no_scheduler_on_this_machine(path: Path, tmp_path: Path) -> None:
    found = by_name(pbs(tmp_path))
    assert found["scheduler"].state == "failure"
    assert found["scheduler"].what == "not on PATH: qsub, qstat, qdel"
    assert "login node" in str(found["scheduler"].cure)


def test_the_profiles_own_command_is_missing(path: Path, tmp_path: Path) -> None:
    pbs_commands(path, printed=QSTAT)
    machine = machine_of(
        tmp_path, executor="cluster-generic", cluster_generic_submit_cmd="vlprm-cluster-submit --x"
    )
    found = by_name(machine)["scheduler"]
    assert found.state == "failure"
    assert "vlprm-cluster-submit" in found.what


def test_the_server_does_not_answer(path: Path, tmp_path: Path) -> None:
    pbs_commands(path, error="pbs_connect: cannot connect to server pbs1", status=111)
    found = by_name(pbs(tmp_path))
    assert "cannot connect to server pbs1" in found["scheduler"].what
    assert "queue" not in found


def test_queues_as_qstat_prints_them(path: Path) -> None:
    command(path, "qstat", printed=QSTAT)
    assert pbs_queues() == ({"workq": True, "gpu_a100_very_lo": True, "drained": False}, None)


def test_queues_as_slurms_qstat_prints_them(path: Path) -> None:
    command(path, "qstat", printed="Queue Max Tot Ena Str\n----- --- --- --- ---\ndebug ? ? yes no")
    assert pbs_queues() == ({"debug": False}, None)


@pytest.mark.parametrize(
    ("queue", "state"),
    [("workq", "ok"), ("'gpu_a100_very_long'", "ok"), ("drained", "warning"), ("wrokq", "failure")],
)
def test_queue(path: Path, tmp_path: Path, queue: str, state: str) -> None:
    pbs_commands(path, printed=QSTAT)
    found = by_name(pbs(tmp_path, queue))
    assert found["scheduler"].state == "ok"
    assert found["queue"].state == state


def test_a_wrong_queue_names_those_there_are(path: Path, tmp_path: Path) -> None:
    pbs_commands(path, printed=QSTAT)
    line = report([by_name(pbs(tmp_path, "wrokq"))["queue"]])[0]
    assert line == (
        "FAIL  queue  no such queue: wrokq"
        "  -> name one of drained, gpu_a100_very_lo, workq in the profile"
    )


@pytest.mark.parametrize(
    ("partition", "state"), [("gpu", "ok"), ("old", "warning"), ("gup", "failure")]
)
def test_partition(path: Path, tmp_path: Path, partition: str, state: str) -> None:
    for name in ("sbatch", "squeue", "scancel"):
        command(path, name)
    command(path, "sinfo", printed=SINFO)
    assert by_name(slurm(tmp_path, partition))["queue"].state == state


@pytest.mark.parametrize(
    ("printed", "state"), [("cpu (null)\ngpu gpu:h100:4", "ok"), ("cpu (null)", "failure")]
)
def test_gpus_of_slurm(path: Path, tmp_path: Path, printed: str, state: str) -> None:
    command(path, "sinfo", printed=printed)
    (found,) = check_cluster_gpus(slurm(tmp_path, "gpu"), 2)
    assert found.state == state


@pytest.mark.parametrize(
    ("printed", "state"),
    [
        ("n1\n     resources_available.ngpus = 4", "ok"),
        ("n1\n     gpus = 2", "ok"),
        ("n1\n     resources_available.ngpus = 0", "warning"),
    ],
)
def test_gpus_of_pbs(path: Path, tmp_path: Path, printed: str, state: str) -> None:
    command(path, "pbsnodes", printed=printed)
    (found,) = check_cluster_gpus(pbs(tmp_path), 2)
    assert found.state == state


NODES = """\
n1
     resources_available.ncpus = 64
     resources_available.accel = 4
     resources_available.gpu_type = 100
     resources_available.ngpus = 0
"""


@pytest.mark.parametrize(
    ("name", "state"), [(None, "failure"), ("accel", "ok"), ("ngpus", "failure")]
)
def test_a_site_that_names_gpus_otherwise(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, state: str
) -> None:
    monkeypatch.delenv("VLPRM_GPU_RESOURCE", raising=False)
    if name:
        monkeypatch.setenv("VLPRM_GPU_RESOURCE", name)
    command(path, "pbsnodes", printed=NODES.replace("gpu_type = 100", "gpu_type = h100"))
    (found,) = check_cluster_gpus(pbs(tmp_path), 2)
    assert found.state == state
    if state == "failure":
        assert "nodes have accel" in found.what
        assert "VLPRM_GPU_RESOURCE=accel" in str(found.cure)


def test_the_profile_names_the_resource(path: Path, tmp_path: Path) -> None:
    command(path, "sinfo", printed="main accel:h100:4(S:0-1)")
    for settings, state in (({}, "failure"), ({"gpu_resource": "'accel'"}, "ok")):
        machine = machine_of(tmp_path, executor="slurm", default_resources=settings)
        (found,) = check_cluster_gpus(machine, 1)
        assert found.state == state


def test_a_local_run_asks_no_scheduler(path: Path, tmp_path: Path) -> None:
    assert not by_name(machine_of(tmp_path))
