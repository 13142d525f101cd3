"""The driver's software beside the lock."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.unit.preflight.machines import machine_of
from vlprm.preflight import software
from vlprm.preflight.machine import Machine

LOCK = r"""
snakemake==9.27.1 \
    --hash=sha256:0
h11==1 ; sys_platform == 'win32' \
typer==0.29.2 \
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "cpu.lock").write_text(LOCK)
    (tmp_path / "envs" / "torch-cpu.txt").write_text("torch==2.13.0\n")
    return dataclasses.replace(machine_of(tmp_path), checkout=tmp_path)


def have(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    monkeypatch.setattr(software, "installed", versions.get)


def test_pins_of_a_lock(machine: Machine) -> None:
    pins = software.pinned(machine.checkout / "envs" / "cpu.lock")
    assert pins == {"snakemake": "9.27.1", "typer": "0.29.2"}


def test_the_version_is_the_package_managers() -> None:
    assert software.installed("snakemake")
    assert "+" not in str(software.installed("torch"))
    assert software.installed("no-such-package") is None


@pytest.mark.parametrize(
    ("version", "state"), [("9.27.1", "ok"), ("9.30.0", "warning"), ("8.20.1", "failure")]
)
def test_snakemake(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str, state: str
) -> None:
    have(monkeypatch, snakemake=version)
    (found,) = software.check_snakemake(machine)
    assert found.state == state


def test_no_snakemake(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch)
    (found,) = software.check_snakemake(machine)
    assert (found.state, found.what) == ("failure", "not installed")


@pytest.mark.parametrize(("executor", "state"), [("local", "ok"), ("no-such", "failure")])
def test_executor(machine: Machine, executor: str, state: str) -> None:
    (found,) = software.check_executor(dataclasses.replace(machine, executor=executor))
    assert found.state == state


def test_lock(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, snakemake="9.27.1", typer="0.29.2", torch="2.13.0")
    (found,) = software.check_lock(machine)
    assert (found.state, found.what) == ("ok", "3 packages as locked")
    have(monkeypatch, snakemake="9.27.1", typer="0.29.1", torch="2.13.0")
    (found,) = software.check_lock(machine)
    assert found.state == "warning"
    assert "typer 0.29.1 (locked 0.29.2)" in found.what
    have(monkeypatch, snakemake="9.27.1", typer="0.29.2")
    (found,) = software.check_lock(machine)
    assert (found.state, found.what) == ("failure", "not installed: torch")
    (found,) = software.check_lock(dataclasses.replace(machine, containers=True))
    assert found.state == "warning", "jobs run in images"
