"""The platform of a stage, read off a machine's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlprm.io import machine

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model name\t: Intel(R) Xeon(R) Platinum 8480C
flags\t\t: fpu sse2 avx2 avx512f

processor\t: 1
vendor_id\t: GenuineIntel
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    card = tmp_path / "driver/nvidia/gpus/0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n")
    (tmp_path / "driver/nvidia/version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Tue\n"
    )
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    return tmp_path


def test_portable_class_does_not_name_the_processor(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLPRM_CPU", "portable")
    found = machine.platform_of(0)
    assert found.processor == "Intel(R) Xeon(R) Platinum 8480C"
    assert found.name.startswith("x86_64_portable_threads-2_torch-")
    assert found.gpu is None, (
        "a stage that asks for no GPU does not depend on the one that is there"
    )


def test_native_class_does(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLPRM_CPU", "native")
    assert "_GenuineIntel-6-avx512_" in machine.platform_of(0).name


def test_gpu_and_driver_where_the_configuration_asks(proc: Path) -> None:
    found = machine.platform_of(2)
    assert (found.gpu, found.driver) == ("NVIDIA H100 80GB HBM3", "570")
    assert found.name.endswith("_NVIDIA-H100-80GB-HBM3_driver-570")


def test_image_is_named_without_its_folder() -> None:
    assert (
        machine.container_of_this_process({"APPTAINER_CONTAINER": "/a/b/1f2e.simg"}) == "1f2e.simg"
    )
    assert (
        machine.container_of_this_process({"VLPRM_CONTAINER": "cpu@sha256:1f"}) == "cpu@sha256:1f"
    )
    assert machine.container_of_this_process({}) is None
