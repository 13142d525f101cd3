"""What `make bench` installs and asks for is what each measurement needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.architecture.tree import ROOT

BENCHES = sorted(
    path.stem
    for path in (ROOT / "bench").glob("*.py")
    if "\nif __name__" in path.read_text(encoding="utf-8")
)


def needs(what: str, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "bench" / "needs.py"), what, name],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_is_understood(name: str) -> None:
    done = needs("environment", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("cpu", "test")
    said = needs("check", name).stderr
    assert "run make bench" not in said, "it imports what no environment of make holds"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cluster_mini", "test"), ("test_time", "test"), ("mini_strategies", "cpu")],
)
def test_the_environment(name: str, expected: str) -> None:
    assert needs("environment", name).stdout.strip() == expected


def test_packages_of_debian_are_named() -> None:
    done = needs("check", "image_repeat", PATH="/nowhere")
    if done.returncode:  # all of it may be there, in /usr/sbin
        assert "apt-get install" in done.stderr or "apptainer" in done.stderr
    done = needs("check", "repeat", PATH="/nowhere")
    assert (done.returncode, done.stderr) == (2, "repeat: no program git: apt-get install git\n")


def test_a_module_of_neither_environment_is_told() -> None:
    done = needs("check", "front_end")
    assert done.returncode == 0 or "vLLM is in the gpu image" in done.stderr
