"""A fresh copy of this checkout, and a run of the mini experiment inside it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

from report import ROOT


def fresh_copy(target: Path) -> Path:
    """Copy what git tracks (and new files it does not ignore) to an emptied ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    return target


def run_mini(checkout: Path) -> float:
    """Run the mini experiment in ``checkout``; seconds of wall time. Raises when it fails."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    started = time.monotonic()
    subprocess.run(
        ["snakemake", "--profile", "profiles/mini"], cwd=checkout, env=environment, check=True
    )
    return time.monotonic() - started


def peak_gib_of_largest_child() -> float:
    """Peak resident memory of the largest process run so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
