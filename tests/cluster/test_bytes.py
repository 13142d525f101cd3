"""The workflow through each profile on a real scheduler: the bytes of the local run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.flow import QUICK
from tests.cluster.slurm import Slurm
from tests.workflow.runs import ROOT, Workdir, nano

# jobs that wait for their walltime go on beside these
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.usefixtures("ends")]
# what depends on which policies, PRMs and benchmarks there are
JOINED = ("selections", "metrics", "tables", "figures")


def through(slurm: Slurm, profile: str, config: dict[str, Any], folder: Path) -> Workdir:
    """Run a configuration as jobs; nothing failed and every job left its exit status."""
    workdir = Workdir(folder)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--profile", str(ROOT / "profiles" / profile)),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(workdir.path)),
            *("--configfile", str(workdir.write_config(config)), *QUICK, "--jobs", "3"),
        ],
        env=os.environ | slurm.environment,
        cwd=workdir.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    state = workdir.path / ".snakemake" / "cluster"
    jobs = {file.stem for file in state.glob("specs/*.json")}
    assert {file.stem for file in state.glob("ended/*.json")} == jobs
    assert len(jobs) > 15
    assert not list(state.glob("failures/*.json"))
    return workdir


@pytest.mark.parametrize(("profile", "searches"), [("pbs", True), ("slurm", False)])
def test_one_policy_and_prm(
    nano_run: Workdir, slurm: Slurm, tmp_path: Path, profile: str, searches: bool
) -> None:
    """A part of the grid, for the time of it; ``make bench NAME=cluster_mini`` runs all of it."""
    config = nano()
    benchmark = "matrix" if searches else "matrix-unseen"
    config["evaluation"] |= {
        "policies": ["small"],
        "prms": ["prm-small"],
        "benchmarks": [benchmark],
    }
    if not searches:
        config["evaluation"]["searches"] = {}
        config["tables"]["curves"].remove("greedy-2")
    results = through(slurm, profile, config, tmp_path / profile).digests()
    shared = {name: one for name, one in results.items() if name.split("/")[1] not in JOINED}
    whole = nano_run.digests()
    assert shared == {name: whole[name] for name in shared}
    assert any(name.endswith("prm-small/model.safetensors") for name in shared)
    assert any("/scores/prm-small/small/" in name for name in shared)
    assert any("/searches/greedy-2/" in name for name in shared) == searches
    assert any(name.endswith("tables/strategies.csv") for name in results)
