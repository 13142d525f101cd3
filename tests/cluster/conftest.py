"""A real Slurm for the tests below, or the reason why there is none."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.ends import run_ends
from tests.cluster.flow import Flow
from tests.cluster.slurm import Slurm, why_not
from tests.workflow.runs import ROOT


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if os.environ.get("VLPRM_CLUSTER_TESTS") != "1":
        pytest.skip("starts a real Slurm, some minutes: set VLPRM_CLUSTER_TESTS=1")
    if reason := why_not():
        pytest.skip(reason)
    pytest.importorskip("snakemake_executor_plugin_cluster_generic")
    work = tmp_path_factory.mktemp("slurm")
    cluster = Slurm(work)
    cluster.environment["PATH"] = search_path(work / "bin")
    cluster.environment["VLPRM_POLL_SECONDS"] = "2"
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def ends(
    slurm: Slurm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[dict[str, Flow]]]:
    """``run_ends``, begun: its jobs mostly wait, and other tests run meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(run_ends, tmp_path_factory.mktemp("ends"), slurm)


def search_path(folder: Path) -> str:
    """A PATH that begins with this checkout's console scripts, whatever is installed."""
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
    return ":".join(map(str, (folder, Path(sys.executable).parent, os.environ["PATH"])))
