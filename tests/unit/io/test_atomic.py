"""Atomic writes: all of a file or nothing of it, and a full disk has a message."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.io.atomic import atomic_folder, atomic_path, write_text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old\n")

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="could not write") as caught:
        write_text(path, "new\n")
    assert str(path) in str(caught.value)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_body_that_raises_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "x") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "below", tmp_path / "file" / "far" / "below"):
        with pytest.raises(UserError, match="could not write"):
            write_text(path, "x")
    with pytest.raises(UserError, match="could not write"):
        write_text(Path("/proc/none/below"), "x")


def test_a_folder_where_the_file_is_to_be(tmp_path: Path) -> None:
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(UserError, match="could not write: Is a directory"):
        write_text(tmp_path / "table.csv", "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "table.csv"]


def test_a_folder_is_complete_when_its_last_file_is_there(tmp_path: Path) -> None:
    with atomic_folder(tmp_path, last="weights") as scratch:
        for name in ("weights", "config", "vocabulary"):
            (scratch / name).write_text(name)
        assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "vocabulary", "weights"]


def test_a_folder_on_a_full_disk_is_explained_and_left_empty(tmp_path: Path) -> None:
    """safetensors raises its own error type and gives the number in words."""
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    with (
        pytest.raises(UserError, match="No space left") as caught,
        atomic_folder(tmp_path, last="weights") as scratch,
    ):
        (scratch / "weights").write_text("half")
        raise RuntimeError(said)
    assert str(tmp_path / "weights") in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_another_error_in_a_folder_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path, last="weights"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
