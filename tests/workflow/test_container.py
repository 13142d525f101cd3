"""The mini DAG in the cpu image, which is built here without a daemon from this checkout.

Needs root, apptainer, mmdebstrap, zstd and squashfs-tools; where one is missing it says so.
``VLPRM_IMAGES`` may name a folder with wheels, or with the finished image, to start from.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench import in_image

from tests.workflow.runs import NANO, ROOT, Workdir

TOOLS = ("apptainer", "mmdebstrap", "zstd", "mksquashfs", "unshare")
MOVED_ON = 3
pytestmark = pytest.mark.container


def script(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "containers" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    table = yaml.safe_load((ROOT / "containers" / "images.yaml").read_text())
    return table["images"]["cpu"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def facts(row: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the build says; with VLPRM_IMAGES, what the build of the same image there said."""
    if os.environ.get("VLPRM_CONTAINER_TESTS") != "1":
        pytest.skip("builds an image and runs in it, some minutes: set VLPRM_CONTAINER_TESTS=1")
    missing = [tool for tool in TOOLS if shutil.which(tool, path=in_image.SYSTEM_PATH) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"an image cannot be built here: needs root and {' '.join(missing or TOOLS)}")
    given = os.environ.get("VLPRM_IMAGES")
    work = Path(given).resolve() if given else tmp_path_factory.mktemp("images")
    done = script("daemonless.py", "cpu", "--work", work)
    if done.returncode == MOVED_ON:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((work / "cpu" / "image.facts.json").read_text())
    return found | {"sif": work / "cpu" / "cpu.sif", "printed": done.stdout}


@pytest.fixture(scope="module")
def prefix(facts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prefix")
    done = script("images.py", "install", "cpu", "--sif", facts["sif"], "--prefix", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_this_checkout_builds_the_image_that_the_rules_name(
    facts: dict[str, Any], row: dict[str, Any]
) -> None:
    assert row["reference"].endswith(f"/cpu@{facts['digest']}")
    assert row["sif_sha256"] == facts["sif_sha256"]


def test_self_test_refuses_an_image_of_other_locks(facts: dict[str, Any]) -> None:
    inside = ["apptainer", "exec", "--cleanenv", str(facts["sif"]), "python", "-B"]
    environment = in_image.environment()
    good = subprocess.run(
        [*inside, "/opt/selftest.py"], env=environment, capture_output=True, text=True
    )
    assert good.returncode == 0, good.stderr
    assert "torch            2.13.0+cpu" in good.stdout
    bad = subprocess.run(
        [*inside, "/opt/selftest.py", "--lock=envs/cpu.lock=0"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert bad.returncode == 2
    assert "envs/cpu.lock: the image was made from another version of it" in bad.stderr


def test_another_image_is_not_put_in_place(facts: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "other.sif"
    other.write_bytes(b"something else")
    done = script("images.py", "install", "cpu", "--sif", other, "--prefix", tmp_path / "prefix")
    assert done.returncode != 0
    assert "containers/images.yaml says" in done.stderr
    assert not (tmp_path / "prefix").exists()


def test_the_dag_runs_inside_and_gives_the_bytes_of_the_host(
    prefix: Path, nano_run: Workdir, tmp_path: Path
) -> None:
    in_image.run(tmp_path / "run", prefix, NANO)
    inside = in_image.facts_inside(tmp_path, prefix, "cpu")
    assert in_image.differs_from_host(inside), inside
    assert not in_image.not_in_an_image(tmp_path / "run" / "results")
    assert Workdir(tmp_path / "run").digests() == nano_run.digests()
