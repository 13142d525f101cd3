"""The whole workflow through each profile on a real scheduler: the bytes of the local run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.flow import QUICK
from tests.cluster.slurm import Slurm
from tests.workflow.runs import ROOT, Workdir, nano

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.mark.parametrize("profile", ["pbs", "slurm"])
def test_same_bytes(nano_run: Workdir, slurm: Slurm, tmp_path: Path, profile: str) -> None:
    workdir = Workdir(tmp_path / profile)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--profile", str(ROOT / "profiles" / profile)),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(workdir.path)),
            *("--configfile", str(workdir.write_config(nano())), *QUICK, "--jobs", "3"),
        ],
        env=os.environ | slurm.environment,
        cwd=workdir.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert workdir.digests() == nano_run.digests()
    jobs = len(list(workdir.path.glob(".snakemake/cluster/jobs/*.json")))
    assert jobs > 40
    assert len(list(workdir.path.glob(".snakemake/cluster/ended/*.json"))) == jobs
    assert not list(workdir.path.glob(".snakemake/cluster/failures/*.json"))
