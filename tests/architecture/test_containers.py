"""Images: everything by digest, one truth for every pin, and no image older than its locks."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.architecture.tree import ROOT, pins

HERE = ROOT / "containers"
ROLES = ["cpu", "gpu"]
PINS = (HERE / "pins.env").read_text(encoding="utf-8")
BASE = re.search(r"(?m)^BASE_IMAGE=(\S+)$", PINS)[1]  # type: ignore[index]
LOCKS = {
    "cpu": {"envs/cpu.lock", "envs/torch-cpu.lock", "containers/debian-cpu.lock"},
    "gpu": {"envs/gpu.lock", "containers/debian-gpu.lock"},
}


def table() -> dict[str, dict[str, object]]:
    loaded = yaml.safe_load((HERE / "images.yaml").read_text(encoding="utf-8"))
    assert set(loaded) == {"images"}
    return loaded["images"]  # type: ignore[no-any-return]


def test_one_image_per_role() -> None:
    assert set(table()) == set(ROLES)
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    assert set(re.findall(r'container_of\("(\w+)"\)', rules)) <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_references_carry_a_digest(role: str) -> None:
    row = table()[role]
    assert re.fullmatch(rf"docker://\S+/{role}@sha256:[0-9a-f]{{64}}", str(row["reference"]))
    assert re.fullmatch(r"[0-9a-f]{64}", str(row["sif_sha256"]))


@pytest.mark.parametrize("role", ROLES)
def test_an_image_is_as_new_as_its_locks(role: str) -> None:
    stated = table()[role]["locks"]
    assert isinstance(stated, dict)
    assert set(stated) == LOCKS[role]
    for name, digest in stated.items():
        found = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
        assert digest == found, (
            f"{name} changed after the {role} image was built: containers/build daemonless {role}"
            f" && containers/build record {role}"
        )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", ["Dockerfile", "def"])
def test_recipes_start_from_the_base_digest_and_run_the_shared_scripts(
    role: str, kind: str
) -> None:
    text = (HERE / f"{role}.{kind}").read_text(encoding="utf-8")
    assert set(re.findall(r"debian:\S+", text)) == {BASE}
    for step in (f"debian.sh {role}", f"packages.sh {role}", f"install.sh {role}"):
        assert step in text
    assert "/opt/selftest.py" in text
    assert ("flash_attn.sh" in text) == (role != "cpu")
    assert not re.search(r"(?m)^\s*(RUN|pip|apt-get) .*(pip install|apt-get install)", text)
    for archs in re.findall(r"(?:CUDA_ARCHS=|architectures=)\"?([\d;]+)", text):
        assert f":-{archs}}}" in PINS, "architectures differ from pins.env"
    for kernels in re.findall(r"(?:KERNELS=|kernels=)\"?([\w:,]+)", text):
        assert f":-{kernels}}}" in PINS, "kernels differ from pins.env"


@pytest.mark.parametrize("role", ROLES)
def test_every_way_in_sets_the_same_environment(role: str) -> None:
    """Docker's ENV, Apptainer's definition, and the OCI and SIF images of the daemonless build."""
    python, variables = "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", " LC_ALL=C.UTF-8"
    variables += " PYTHONNOUSERSITE=1" + (" CUDA_HOME=/usr/local/cuda" if role == "gpu" else "")
    dockerfile, definition, install, oci = (
        (HERE / name).read_text(encoding="utf-8").replace('"', "")
        for name in (f"{role}.Dockerfile", f"{role}.def", "install.sh", "oci.py")
    )
    assert f"\nENV {python}{variables}\n" in dockerfile
    assert f"    export {python}{variables}\n" in definition
    assert f"variables='{python} LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1'" in install
    assert ("$variables CUDA_HOME=/usr/local/cuda" in install) == ("CUDA_HOME=/usr/local" in oci)
    assert all(setting in oci for setting in (python, *variables.split()))


def test_base_image_is_pinned_by_digest_and_date() -> None:
    assert re.fullmatch(r"debian:bookworm-\d{8}-slim@sha256:[0-9a-f]{64}", BASE)
    snapshot = re.search(r"(?m)^SNAPSHOT=(\d{8})T\d{6}Z$", PINS)
    assert snapshot is not None
    assert snapshot[1] in BASE, "Debian packages of the day of the base image"


@pytest.mark.parametrize("role", [*ROLES, "build"])
def test_debian_packages_are_locked(role: str) -> None:
    lines = (HERE / f"debian-{role}.lock").read_text(encoding="utf-8").splitlines()
    release = re.search(r"(?m)^DEBIAN_RELEASE=(\S+)$", PINS)
    assert release is not None
    assert f"Debian {release[1]}," in lines[0]
    assert all(re.fullmatch(r"[a-z0-9.+-]+=\S+", line) for line in lines[1:])
    assert any(line.startswith("python3.11=") for line in lines)
    assert lines[1:] == sorted(lines[1:])


def test_readme_names_the_digests_base_and_pins() -> None:
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for role, row in table().items():
        digest = str(row["reference"]).rpartition("@")[2]
        assert digest in readme, f"containers/README.md lacks the {role} image's digest"
    gpu = pins("gpu.lock")
    for name, version in (
        ("vLLM", gpu["vllm"]),
        ("DeepSpeed", gpu["deepspeed"]),
        ("flash-attn", gpu["flash-attn"]),
        ("transformers", gpu["transformers"]),
        ("torch", gpu["torch"]),
        ("torch", pins("torch-cpu.txt")["torch"]),
    ):
        assert f"{name} {version}" in readme


@pytest.mark.parametrize("script", [*sorted(p.name for p in HERE.glob("*.sh")), "build"])
def test_scripts_parse(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(HERE / script)]).returncode == 0


def test_build_says_what_it_can_do(tmp_path: Path) -> None:
    build = HERE / "build"
    assert os.access(build, os.X_OK)
    for arguments in ([], ["daemonless"], ["nonsense"]):
        done = subprocess.run([str(build), *arguments], capture_output=True, text=True)
        assert done.returncode == 2
        assert "containers/build daemonless ROLE" in done.stderr
    done = subprocess.run([str(build), "docker", "train"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "no image 'train'" in done.stderr
