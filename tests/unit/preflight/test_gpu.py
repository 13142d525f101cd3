"""A node without GPUs, with a broken driver, with too few."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.preflight.machines import command, machine_of, only
from vlprm.preflight.gpu import check_gpu

CARD = "NVIDIA H100 80GB HBM3, 550.54.15, 81559 MiB"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return only(monkeypatch, tmp_path / "bin")


def test_none_needed(path: Path, tmp_path: Path) -> None:
    (found,) = check_gpu(machine_of(tmp_path), 0)
    assert found.state == "ok"


def test_no_gpu_on_this_node(path: Path, tmp_path: Path) -> None:
    (found,) = check_gpu(machine_of(tmp_path), 2)
    assert found.state == "failure"
    assert "no nvidia-smi" in found.what


def test_a_driver_that_fails(path: Path, tmp_path: Path) -> None:
    command(path, "nvidia-smi", error="couldn't communicate with the NVIDIA driver", status=9)
    (found,) = check_gpu(machine_of(tmp_path), 1)
    assert "couldn't communicate" in found.what


@pytest.mark.parametrize(("asked", "state"), [(2, "ok"), (3, "failure")])
def test_how_many(path: Path, tmp_path: Path, asked: int, state: str) -> None:
    command(path, "nvidia-smi", printed=f"{CARD}\n{CARD}")
    (found,) = check_gpu(machine_of(tmp_path), asked)
    assert found.state == state


def test_a_login_node_needs_none(path: Path, tmp_path: Path) -> None:
    assert not list(check_gpu(machine_of(tmp_path, executor="slurm"), 8))
