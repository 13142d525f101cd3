"""An image that is missing, or is another than the table states."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
import yaml

from tests.unit.preflight.machines import command, machine_of, only
from vlprm.preflight.containers import check_apptainer, check_containers
from vlprm.preflight.finding import Finding
from vlprm.preflight.machine import Machine

REFERENCE = "docker://registry.example/vlprm/cpu@sha256:" + "0" * 64
BYTES = b"an image file"


def machine(tmp_path: Path, **entry: object) -> Machine:
    (tmp_path / "containers").mkdir()
    entries = {"images": {"cpu": {"reference": REFERENCE, "environment": "e", **entry}}}
    (tmp_path / "containers" / "images.yaml").write_text(yaml.safe_dump(entries))
    found = machine_of(tmp_path, sdm="apptainer", apptainer_prefix="images")
    return dataclasses.replace(found, checkout=tmp_path)


def install(tmp_path: Path, content: bytes = BYTES) -> Path:
    """Where Snakemake looks: the md5 of the whole reference."""
    name = hashlib.md5(REFERENCE.encode()).hexdigest() + ".simg"
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "images" / name).write_bytes(content)
    return tmp_path / "images" / name


def check(machine: Machine) -> Finding:
    (found,) = check_containers(machine, ["cpu"])
    return found


def test_a_missing_image(tmp_path: Path) -> None:
    found = check(machine(tmp_path))
    assert found.state == "failure"
    assert "is not at" in found.what
    assert "snakemake fetch" in str(found.cure)


def test_a_missing_image_of_no_registry_is_to_be_built(tmp_path: Path) -> None:
    found = check(machine(tmp_path, reference="docker://localhost/vlprm/cpu@sha256:0"))
    assert "containers/build daemonless cpu" in str(found.cure)


def test_the_stated_image_and_another(tmp_path: Path) -> None:
    stated = machine(tmp_path, sif_sha256=hashlib.sha256(BYTES).hexdigest())
    file = install(tmp_path)
    assert check(stated).state == "ok"
    assert check(stated).state == "ok", "from memory"
    file.write_bytes(BYTES[::-1])  # the same size
    os.utime(file, ns=(1, 1))
    found = check(stated)
    assert found.state == "failure"
    assert "has sha256" in found.what
    assert "stated is" in found.what


def test_an_image_that_changed_since_it_was_fetched(tmp_path: Path) -> None:
    pulled = machine(tmp_path)
    file = install(tmp_path)
    note = file.with_name(f"{file.name}.sha256")
    note.write_text(hashlib.sha256(BYTES).hexdigest() + "\n")
    assert check(pulled).state == "ok"
    note.write_text(hashlib.sha256(b"other").hexdigest() + "\n")
    assert check(pulled).state == "failure"


def test_a_reference_without_digest_is_worth_a_warning(tmp_path: Path) -> None:
    unpinned = machine(tmp_path, reference="docker://registry.example/vlprm/cpu:1")
    file = install(tmp_path)
    name = hashlib.md5(b"docker://registry.example/vlprm/cpu:1").hexdigest() + ".simg"
    file.rename(file.with_name(name))
    assert check(unpinned).state == "warning"


def test_no_apptainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_dir = only(monkeypatch, tmp_path / "bin")
    (found,) = check_apptainer(machine(tmp_path))
    assert found.state == "failure"
    command(bin_dir, "apptainer", printed="apptainer version 1.4.5")
    (found,) = check_apptainer(machine_of(tmp_path, sdm=["apptainer"]))
    assert (found.state, found.what) == ("ok", "apptainer version 1.4.5")
