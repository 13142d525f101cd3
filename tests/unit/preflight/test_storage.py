"""Read-only and full disks, as real mounts."""

from __future__ import annotations

from pathlib import Path

from vlprm.preflight.storage import check_disk, check_write_access, nearest, refusal


def test_nearest(tmp_path: Path) -> None:
    assert nearest(tmp_path / "a" / "b") == tmp_path.resolve()


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (found,) = check_write_access("write access", [tmp_path / "results"], "cure")
    assert found.state == "ok"
    assert not list(tmp_path.iterdir())


def test_a_read_only_folder(read_only: Path) -> None:
    (found,) = check_write_access("cache access", [read_only / "models"], "choose another")
    assert found.state == "failure"
    assert "Read-only file system" in found.what


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    assert "is a file" in str(refusal(tmp_path / "results"))


def test_a_disk_with_too_little_room(small_disk: Path) -> None:
    (found,) = check_disk([(small_disk / "results", 0.003), (small_disk / "resources", 0.004)])
    assert found.state == "failure"
    assert "about 0.01 GB needed" in found.what


def test_a_disk_with_room_enough(tmp_path: Path) -> None:
    (found,) = check_disk([(tmp_path / "results", 0.001)])
    assert found.state == "ok"
