"""Profiles as Snakemake finds and reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.preflight.machines import machine_of
from vlprm.errors import UserError
from vlprm.preflight.machine import from_profile, image_folder, read_profile


def test_a_profile_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "pbs").mkdir()
    (tmp_path / "pbs" / "config.yaml").write_text(
        "executor: cluster-generic\n"
        "cluster-generic-submit-cmd: vlprm-pbs-submit\n"
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
    assert machine.image_folder == tmp_path / "images"


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


def test_image_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPTAINER_CACHEDIR", raising=False)
    assert image_folder(None, tmp_path) == tmp_path / ".snakemake" / "singularity"
    assert image_folder("/elsewhere", tmp_path) == Path("/elsewhere")
    monkeypatch.setenv("APPTAINER_CACHEDIR", "/cache")
    assert image_folder(None, tmp_path) == Path("/cache")
