"""Profiles as Snakemake finds and reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.preflight.machines import command, machine_of, only
from vlprm.errors import UserError
from vlprm.preflight.machine import container_folder, from_profile, read_profile


def test_a_profile_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "pbs").mkdir()
    (tmp_path / "pbs" / "config.yaml").write_text(
        "executor: cluster-generic\n"
        "cluster-generic-submit-cmd: vlprm-cluster-submit\n"
        "software-deployment-method: apptainer\n"
        "apptainer-prefix: images\n"
        "default-resources:\n  queue: \"'batch'\"\n  mem_mb: 200\n"
        "set-resources:\n  train:\n    queue: gpu\n  score:\n    queue: attempt * 'x'\n"
    )
    settings, files = read_profile([str(tmp_path / "pbs")])
    machine = from_profile(settings, tmp_path, tmp_path)
    assert [file.name for file in files] == ["config.yaml"]
    assert machine.scheduler == "pbs"
    assert machine.queues == ("batch", "gpu")
    assert machine.containers
    assert machine.container_folder == tmp_path / "images"


def test_no_such_profile() -> None:
    with pytest.raises(UserError, match="no such profile"):
        read_profile(["profiles/nowhere"])


def test_a_profile_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("jobs: [1")
    with pytest.raises(UserError, match="not a readable profile"):
        read_profile([str(tmp_path)])


@pytest.mark.parametrize(
    ("settings", "scheduler"),
    [
        ({}, None),
        ({"executor": "slurm"}, "slurm"),
        ({"executor": "cluster_generic", "cluster_generic_submit_cmd": "sbatch"}, "slurm"),
        ({"executor": "cluster_generic", "cluster_generic_submit_cmd": "bsub"}, None),
    ],
)
def test_scheduler(tmp_path: Path, settings: dict[str, str], scheduler: str | None) -> None:
    assert machine_of(tmp_path, **settings).scheduler == scheduler


def test_commands_of_this_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_dir = only(monkeypatch, tmp_path / "bin")
    monkeypatch.delenv("VLPRM_DIALECT", raising=False)
    monkeypatch.setenv("VLPRM_QUEUE", "night")
    machine = machine_of(
        tmp_path,
        executor="cluster-generic",
        cluster_generic_submit_cmd="vlprm-cluster-submit",
        cluster_generic_status_cmd="trap '' INT TERM; exec vlprm-cluster-status",
    )
    assert machine.commands == ("vlprm-cluster-submit", "vlprm-cluster-status")
    assert machine.queues == ("night",)
    assert machine.scheduler == "pbs"
    command(bin_dir, "sbatch")
    assert machine.scheduler == "slurm"
    command(bin_dir, "qsub")
    assert machine.scheduler == "pbs"
    monkeypatch.setenv("VLPRM_DIALECT", "slurm")
    assert machine.scheduler == "slurm"
    assert not machine_of(tmp_path).queues, "a local run has no queue"


def test_container_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPTAINER_CACHEDIR", raising=False)
    assert container_folder(None, tmp_path) == tmp_path / ".snakemake" / "singularity"
    assert container_folder("/elsewhere", tmp_path) == Path("/elsewhere")
    monkeypatch.setenv("APPTAINER_CACHEDIR", "/cache")
    assert container_folder(None, tmp_path) == Path("/cache")


def test_our_executor_and_the_one_that_it_extends(tmp_path: Path) -> None:
    for name in ("vlprm-cluster", "cluster-generic"):
        settings = {"executor": name, f"{name}-submit-cmd": "vlprm-cluster-submit --dialect slurm"}
        machine = machine_of(tmp_path, **settings)
        assert machine.commands == ("vlprm-cluster-submit",)
        assert machine.scheduler == "slurm"
