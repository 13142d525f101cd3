"""A process reads a file once to hash it, for as long as the file does not change."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vlprm.io import manifest
from vlprm.io.manifest import recorded, sha256_of
from vlprm.provenance import Manifest


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read to be hashed, in order."""
    found: list[str] = []
    digest = hashlib.file_digest

    def counting(file: object, name: str) -> object:
        found.append(Path(file.name).name)  # type: ignore[attr-defined]
        return digest(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counting)
    return found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled as soon as they are written."""
    monkeypatch.setattr(manifest, "SETTLED_S", -60.0)


def true(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("at_once")
def test_a_stage_reads_its_checkpoint_once(tmp_path: Path, read: list[str]) -> None:
    weights, out = tmp_path / "model.safetensors", tmp_path / "out"
    weights.write_text("weights")
    digest = sha256_of(weights)
    with recorded("score", 1, {}, inputs=[weights], outputs=[out], models={"m": digest}) as counts:
        out.write_text("scores")
        counts["n"] = 1
    assert read == ["model.safetensors", "out"]
    record = Manifest.model_validate_json((tmp_path / "out.manifest.json").read_bytes())
    assert record.inputs[0].sha256 == record.models["m"] == true(weights)


def _rewritten(path: Path) -> None:
    path.write_text("other")


def _with_its_old_time(path: Path) -> None:
    before = path.stat()
    path.write_text("other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _moved_into_place(path: Path) -> None:
    other = path.with_name("new")
    other.write_text("other")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("change", [_rewritten, _with_its_old_time, _moved_into_place])
def test_a_file_that_changed_is_read_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "x"
    path.write_text("these")
    assert sha256_of(path) == true(path)
    time.sleep(0.05)  # more than a tick of the file system's clock
    change(path)
    assert path.read_text() == "other"
    assert sha256_of(path) == true(path)


def test_a_file_just_written_is_read_every_time(tmp_path: Path, read: list[str]) -> None:
    path = tmp_path / "x"
    for text in ("one", "two"):  # perhaps within one tick
        path.write_text(text)
        assert sha256_of(path) == hashlib.sha256(text.encode()).hexdigest()
    assert read == ["x", "x"]


@pytest.mark.usefixtures("at_once")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_text("one")
    digest = hashlib.file_digest

    def slow(file: object, name: str) -> object:
        found = digest(file, name)  # type: ignore[arg-type]
        time.sleep(0.05)
        path.write_text("two")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", slow)
        sha256_of(path)
    assert sha256_of(path) == true(path)
