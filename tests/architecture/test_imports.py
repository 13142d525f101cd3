"""Who imports whom: the layers, light imports for the workflow, declared dependencies."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, imported_roots, normalised, pins, python_files

HEAVY = ("torch", "transformers", "vllm", "deepspeed", "accelerate")
# engines of the paper's GPU images; they are pinned there, not in the CPU environment
GPU_IMAGES = frozenset({"vllm", "deepspeed", "flash-attn", "triton"})


def test_layer_contracts_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(linter), "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_every_folder_is_a_package() -> None:
    """A folder without __init__.py is invisible to the import contracts."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


@pytest.mark.parametrize(
    "modules", ["vlprm.config, vlprm.config.plan, vlprm.stages", "vlprm.cli", "vlprm.io.compare"]
)
def test_workflow_side_loads_no_heavy_library(modules: str) -> None:
    """The Snakefile and `--help` import these: they must work where no torch is installed."""
    code = f"import sys; import {modules}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_every_imported_library_is_declared() -> None:
    declared = set(pins("cpu.in")) | set(pins("cluster.in")) | {"torch"} | GPU_IMAGES
    projects = importlib.metadata.packages_distributions()
    for path in python_files("src"):
        for name in imported_roots(path) - set(sys.stdlib_module_names) - {"vlprm"}:
            owners = {normalised(owner) for owner in projects.get(name, [name])}
            assert owners & declared, f"{path} imports {name}: add it to envs/cpu.in"
