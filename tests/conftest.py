"""Every test runs under the deterministic settings of the stages; one nano run; disks in trouble.

The disks are real mounts: they need root and the right to mount, else a test skips.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
    """One complete run of the nano configuration, shared by the tests that start from it."""
    workdir = Workdir(tmp_path_factory.mktemp("nano"))
    workdir.run(nano())
    return workdir
