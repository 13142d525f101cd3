"""A disk that is really full: a small memory file system, mounted where a stage writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import mounted
from tests.workflow.runs import ROOT, Workdir, nano
from vlprm.config import placement, slices
from vlprm.config.checked import load_config

CONFIG = load_config(nano(), "nano.yaml")


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Path]:
    """64 KiB of room."""
    with mounted(tmp_path / "crowded", "-o", "size=64k") as folder:
        yield folder


def refused(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vlprm.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
    assert "-> free some space" in done.stderr
    return done.stderr


def whole_files(disk: Path) -> set[str]:
    """What is left on the disk; a temporary file would show as one."""
    return {path.name for path in disk.rglob("*") if path.is_file()}


def test_images_do_not_fit(crowded: Path) -> None:
    config = slices.prepare.of(CONFIG, "matrix", "000").model_dump_json()
    images = crowded / "images.parquet"
    said = refused(
        "prepare", "--samples", str(crowded / "samples.parquet"), "--images", str(images),
        "--config", config,
    )  # fmt: skip
    assert str(images) in said
    assert whole_files(crowded) <= {"samples.parquet"}


def test_a_checkpoint_does_not_fit(crowded: Path, nano_run: Workdir) -> None:
    results = nano_run.path / "results" / CONFIG.run
    weights = crowded / "model.safetensors"
    packs = sorted(map(str, results.glob("images/matrix-train/*.parquet")))
    said = refused(
        "train", "--examples", str(results / "examples/examples.parquet"),
        "--images", " ".join(packs),
        "--base", str(ROOT / "models/mini/small/model.safetensors"), "--weights", str(weights),
        "--config", json.dumps(slices.train.of(CONFIG, "prm-small").model_dump(mode="json")),
        "--placement", placement.write(placement.of_training(CONFIG, "prm-small")),
    )  # fmt: skip
    assert str(weights) in said
    assert whole_files(crowded) == set()
