"""A real Slurm for the tests below, or the reason why there is none."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm, why_not
from tests.workflow.runs import ROOT


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    pytest.importorskip("snakemake_executor_plugin_cluster_generic")
    work = tmp_path_factory.mktemp("slurm")
    cluster = Slurm(work)
    path = [commands(work / "bin"), Path(sys.executable).parent, os.environ["PATH"]]
    cluster.environment["PATH"] = ":".join(map(str, path))
    cluster.environment["VLPRM_POLL_SECONDS"] = "2"
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def commands(folder: Path) -> Path:
    """The console scripts of this checkout, whatever is installed."""
    folder.mkdir()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, target in scripts.items():
        module, function = target.split(":")
        script = folder / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n"
            f"from {module} import {function}\nsys.exit({function}())\n"
        )
        script.chmod(0o755)
    return folder
