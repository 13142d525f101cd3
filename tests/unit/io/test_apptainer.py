"""Images: pulled once into place, checked, or told how to build."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.unit.preflight.machines import command, only
from vlprm.config.containers import ContainerImage, load_containers
from vlprm.errors import UserError
from vlprm.io.apptainer import provide

REFERENCE = "docker://registry.example/vlprm/cpu@sha256:" + "0" * 64
IMAGE = ContainerImage(reference=REFERENCE)


@pytest.fixture
def bin_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return only(monkeypatch, tmp_path / "bin")


def apptainer(bin_dir: Path, script: str) -> None:
    command(bin_dir, "apptainer")
    (bin_dir / "apptainer").write_text(
        f'#!/bin/sh\n[ "$1 $2" = "pull --force" ] || exit 9\n{script}'
    )


def test_pulled_into_the_place_where_snakemake_looks(tmp_path: Path, bin_dir: Path) -> None:
    apptainer(bin_dir, 'echo "$4" > "$3"')
    digest = provide("cpu", IMAGE, tmp_path / "images")
    (file,) = (tmp_path / "images").glob("*.simg")
    assert file.name == hashlib.md5(REFERENCE.encode()).hexdigest() + ".simg"
    assert file.read_text() == REFERENCE + "\n"
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    apptainer(bin_dir, "exit 1")
    assert provide("cpu", IMAGE, tmp_path / "images") == digest, "not pulled again"
    built = IMAGE.model_copy(update={"sif_sha256": "0" * 64})
    assert provide("cpu", built, tmp_path / "images") == digest, "what was pulled is right, too"
    file.write_bytes(b"other")
    with pytest.raises(UserError, match="container cpu has sha256"):
        provide("cpu", built, tmp_path / "images")


def test_a_pull_that_fails_leaves_nothing(tmp_path: Path, bin_dir: Path) -> None:
    apptainer(bin_dir, 'echo half > "$3"; echo "FATAL: no such host" >&2; exit 255')
    with pytest.raises(UserError, match="could not be pulled: FATAL: no such host"):
        provide("cpu", IMAGE, tmp_path / "images")
    assert not list((tmp_path / "images").iterdir())


def test_no_apptainer(tmp_path: Path, bin_dir: Path) -> None:
    with pytest.raises(UserError, match="neither apptainer nor singularity"):
        provide("cpu", IMAGE, tmp_path / "images")


def test_an_image_of_no_registry(tmp_path: Path, bin_dir: Path) -> None:
    local = ContainerImage(reference="docker://localhost/vlprm/cpu@sha256:0")
    with pytest.raises(UserError, match="containers/build daemonless cpu"):
        provide("cpu", local, tmp_path / "images")


def test_another_image_than_stated(tmp_path: Path) -> None:
    stated = ContainerImage(reference=REFERENCE, sif_sha256=hashlib.sha256(b"a").hexdigest())
    stated.file(tmp_path).write_bytes(b"a")
    provide("cpu", stated, tmp_path)
    stated.file(tmp_path).write_bytes(b"b")
    with pytest.raises(UserError, match="container cpu has sha256"):
        provide("cpu", stated, tmp_path)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (REFERENCE, True),
        ("docker://host:5000/a@sha256:0", True),
        ("oras://registry.example/a:1", True),
        ("docker://localhost/vlprm/cpu:1", False),
        ("docker://localhost:5000/vlprm/cpu:1", False),
        ("docker://vlprm-cpu:0.1.0", False),
    ],
)
def test_registry(reference: str, expected: bool) -> None:
    assert ContainerImage(reference=reference).in_registry is expected


def test_a_malformed_table(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text("images: {cpu: {reference: 3}}")
    with pytest.raises(UserError, match="not a table of containers"):
        load_containers(tmp_path / "images.yaml")
    with pytest.raises(UserError, match="not a table of containers"):
        load_containers(tmp_path / "nowhere.yaml")
