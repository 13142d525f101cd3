"""Every test runs under the deterministic settings of the stages; one nano run; disks in trouble.

The disks are real mounts: they need root and the right to mount, else a test skips. Tests run in
two processes (``make test``): those that share a Slurm stay in one, as do those of the nano run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.workflow.runs import Workdir, nano
from vlprm.determinism import settle_environment

settle_environment()


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("mounting needs root and the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A file system that is mounted read-only: even root cannot write."""
    with mounted(tmp_path / "read-only", "-o", "ro,size=1m") as folder:
        yield folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    with mounted(tmp_path / "small", "-o", "size=4m") as folder:
        yield folder


@pytest.fixture(scope="session")
def nano_run(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    """One complete run of the nano configuration, shared by the tests that start from it.

    Whichever process asks first makes it; the other waits.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    workdir = Workdir(shared / "nano")
    complete = shared / "nano.complete"
    with FileLock(shared / "nano.lock"):
        if not complete.exists():
            workdir.run(nano())
            complete.touch()
    return workdir


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``pytest -n 2``: whole files, and as one what is shared."""
    from tests.together import Together  # only where xdist is at work

    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes begin with what takes longest."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = {"slurm", "nano_run"}
        items.sort(key=lambda item: shared.isdisjoint(getattr(item, "fixturenames", ())))
