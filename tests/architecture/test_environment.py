"""Pins, locks and texts: one version of everything, hashes everywhere, no machine in sight."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, normalised, pins, project_texts

LOCKS = {
    "cpu.in": "cpu.lock",
    "cluster.in": "cluster.lock",
    "test.in": "test.lock",
    "gpu.in": "gpu.lock",
    "flash-attn.in": "flash-attn.lock",
}
# where the GPU image pins something else than cpu.in, and why
DIFFERENT = {
    "numpy": "2.2.6",  # vLLM 0.10.1.1 -> numba 0.61.2 -> numpy < 2.3
    "openai": "1.107.3",  # vLLM imports its types; the judge runs in cpu
}
DRIVER_ONLY = {"snakemake", "pygments"}  # Snakemake runs beside the images, never inside
# written in two parts, so that this file does not hold what it forbids
HOSTS = ["pypi" + ".org", "pythonhosted" + ".org", "pkg" + ".dev", "download.pytorch" + ".org"]
PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/opt/" + "wheels", "/ho" + "me/", ".py" + "env"]


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_locked_package_carries_hashes(lock: str) -> None:
    text = (ROOT / "envs" / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) >= len(pins(lock)) > 6
    for block in blocks:
        head = block.split("\n", 1)[0]
        assert re.match(r"^[a-z0-9._-]+==\S+", head), head
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), head


@pytest.mark.parametrize("asked", LOCKS)
def test_lock_follows_what_is_asked(asked: str) -> None:
    locked = pins(LOCKS[asked])
    stale = {name: want for name, want in pins(asked).items() if locked.get(name) != want}
    assert not stale, f"envs/{LOCKS[asked]} is older than envs/{asked}: run `make lock`"


@pytest.mark.parametrize("lock", ["test.lock", "cluster.lock"])
def test_locks_agree(lock: str) -> None:
    cpu, other = pins("cpu.lock"), pins(lock)
    shared = cpu.keys() & other.keys()
    assert {name: cpu[name] for name in shared} == {name: other[name] for name in shared}


def test_torch_is_installed_beside_the_lock_and_nothing_more_comes_with_it() -> None:
    assert pins("torch-cpu.txt") == {"torch": "2.13.0"}
    locked = pins("cpu.lock")
    assert not [name for name in locked if name == "torch" or name.startswith("nvidia")]
    needs = ["filelock", "fsspec", "jinja2", "networkx", "setuptools", "sympy", "typing-extensions"]
    assert set(needs) <= set(locked)


def test_paper_pins() -> None:
    """What upstream's README says matters for its figures."""
    gpu, cpu = pins("gpu.in"), pins("cpu.in")
    assert gpu["vllm"] == "0.10.1.1"
    assert gpu["transformers"] == cpu["transformers"] == "4.55.2"
    assert gpu["flash-attn"] == "2.8.0.post2"
    assert gpu["torch"] == "2.7.1"
    assert "deepspeed" in gpu


def test_the_gpu_image_holds_what_the_package_needs_at_the_same_versions() -> None:
    cpu, image = pins("cpu.in"), pins("gpu.in")
    needed = {k: v for k, v in cpu.items() if k not in DRIVER_ONLY and "snakemake" not in k}
    assert not needed.keys() - image.keys(), f"envs/gpu.in lacks {needed.keys() - image.keys()}"
    differing = {k: image[k] for k, v in needed.items() if image[k] != v}
    assert differing == DIFFERENT, "envs/gpu.in against envs/cpu.in"


def test_the_gpu_lock_holds_the_papers_versions() -> None:
    locked = pins("gpu.lock")
    assert locked["torch"] == "2.7.1"
    assert locked["transformers"] == "4.55.2"
    assert locked["flash-attn"] == "2.8.0.post2"
    assert {k: v for k, v in locked.items() if k in pins("flash-attn.lock")}.get("setuptools")


def test_the_cpu_images_torch_is_the_one_of_the_environment() -> None:
    locked = pins("torch-cpu.lock")
    assert locked["torch"].split("+")[0] == pins("torch-cpu.txt")["torch"]
    text = (ROOT / "envs" / "torch-cpu.lock").read_text(encoding="utf-8")
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) == len(locked) == 1


def test_readme_names_the_pins_that_are_in_force() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pinned = pins("cpu.lock") | pins("torch-cpu.txt") | {"vllm": pins("gpu.in")["vllm"]}
    for project in ("torch", "transformers", "snakemake"):
        assert f"{project} {pinned[project]}" in readme
    for name, version in re.findall(r"`([A-Za-z][\w.-]*)==([\w.]+)`", readme):
        assert pinned.get(normalised(name)) == version, f"README says {name}=={version}"


def test_this_interpreter_runs_the_pins() -> None:
    import importlib.metadata as metadata

    assert sys.version_info[:2] in ((3, 11), (3, 12))
    for project in ("transformers", "snakemake", "pydantic", "pyarrow", "polars", "numpy"):
        assert metadata.version(project) == pins("cpu.lock")[project]
    assert metadata.version("torch").split("+")[0] == pins("torch-cpu.txt")["torch"]


@pytest.mark.parametrize("path", project_texts(), ids=str)
def test_texts_name_no_registry_and_no_machine(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    found = [word for word in HOSTS + PLACES if word in text]
    assert not found, f"{path} names {found}"
