"""The file: cut where it was torn, refused where it is foreign or damaged, and then untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.ledger.file import LedgerFile, answered, delete_complete

KEYS = [bytes([number]) * 16 for number in range(4)]
BODIES = [f"reply {number} ".encode() * (number + 1) * 9 for number in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of four entries."""
    found = tmp_path / "out.ledger"
    ledger = LedgerFile(found, "rollout")
    for key, body in zip(KEYS, BODIES, strict=True):
        ledger.append(key, body)
    ledger.close()
    return found


def bodies(path: Path, stage: str = "rollout") -> list[bytes]:
    ledger = LedgerFile(path, stage)
    try:
        return [body for key in KEYS if (body := ledger.get(key)) is not None]
    finally:
        ledger.close()


def test_what_was_appended_is_there(path: Path) -> None:
    assert bodies(path) == BODIES


def test_nothing_appended_leaves_no_file(tmp_path: Path) -> None:
    LedgerFile(tmp_path / "none.ledger", "rollout").close()
    assert not (tmp_path / "none.ledger").exists()


def test_cut_at_any_byte_the_whole_entries_before_it_stay(path: Path) -> None:
    whole = path.read_bytes()
    counts = []
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        found = bodies(path)
        assert found == BODIES[: len(found)]
        counts.append(len(found))
        ledger = LedgerFile(path, "rollout")
        for key, body in list(zip(KEYS, BODIES, strict=True))[len(found) :]:
            ledger.append(key, body)
        ledger.close()
        assert path.read_bytes() == whole
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 4)


def test_a_tail_of_zeros_is_torn(path: Path) -> None:
    whole = path.read_bytes()
    start = whole.rindex(b"next")
    path.write_bytes(whole[: start + 40] + bytes(len(whole) - start - 40))
    assert bodies(path) == BODIES[:3]


def test_damage_before_the_end_is_refused_and_nothing_changed(path: Path) -> None:
    whole = path.read_bytes()
    second = whole.index(b"next", whole.index(b"next") + 4)
    for place in (second, second + 45):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0xFF
        path.write_bytes(spoiled)
        with pytest.raises(UserError, match=f"damaged at byte {second}, behind 1 whole") as told:
            bodies(path)
        assert path.read_bytes() == spoiled
    assert f"truncate -s {second} {path}" in str(told.value)
    path.write_bytes(spoiled[:second])  # as the message says
    assert bodies(path) == BODIES[:1]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"PAR1 and so on", "this is no reply ledger"),
        (b"vlprm ledger 1\nestimate\n", "this is the ledger of stage estimate"),
        (b"vlprm ledger 7\nrollout\n", "this ledger has another layout (vlprm ledger 7)"),
    ],
)
def test_a_foreign_file_is_refused_and_not_changed(path: Path, start: bytes, said: str) -> None:
    path.write_bytes(start)
    with pytest.raises(UserError) as told:
        bodies(path)
    assert said in str(told.value)
    assert path.read_bytes() == start


def test_keys_are_read_beside_a_writer_and_nothing_is_changed(path: Path) -> None:
    ledger = LedgerFile(path, "rollout")
    assert answered(path) == set(KEYS)
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert answered(path) == set(KEYS[:3])
    assert path.read_bytes() == whole[:-3]
    assert answered(path.with_name("none.ledger")) == set()


def test_one_process_at_a_time(path: Path) -> None:
    ledger = LedgerFile(path, "rollout")
    with pytest.raises(UserError, match="another process writes this ledger"):
        LedgerFile(path, "rollout")
    ledger.close()
    assert bodies(path) == BODIES


def test_a_key_is_answered_once(path: Path) -> None:
    ledger = LedgerFile(path, "rollout")
    with pytest.raises(ValueError, match="answered already"):
        ledger.append(KEYS[1], b"again")
    ledger.close()


def test_a_full_disk_is_said_and_the_torn_entry_cut(small_disk: Path) -> None:
    import random

    path = small_disk / "out.ledger"
    ledger = LedgerFile(path, "rollout")
    noise = random.Random(1)
    with pytest.raises(UserError, match="No space left"):
        for number in range(100):
            ledger.append(number.to_bytes(16, "big"), noise.randbytes(1 << 18))
    ledger.close()
    again = LedgerFile(path, "rollout")
    assert 10 < len(again) < 16
    again.close()


def test_only_ledgers_of_complete_outputs_are_deleted(path: Path) -> None:
    other = path.with_name("other.parquet.ledger")
    other.write_bytes(path.read_bytes())
    other.with_name("other.parquet.manifest.json").touch()
    other.with_name("other.parquet").touch()
    assert delete_complete(path.parent) == (1, path.stat().st_size)
    assert path.exists()
    assert not other.exists()
    with pytest.raises(UserError, match="no such folder"):
        delete_complete(path.parent / "none")


def test_replies_of_a_deleted_output_are_kept(path: Path) -> None:
    manifest = path.with_name("out.manifest.json")
    manifest.write_text("{}")
    assert delete_complete(path.parent)[0] == 0
    path.with_name("out").write_text("x")
    assert delete_complete(path.parent)[0] == 1


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.ledger").mkdir()
    with pytest.raises(UserError, match="Is a directory"):
        LedgerFile(tmp_path / "x.ledger", "rollout")
