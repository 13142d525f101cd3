"""Keys of tables: written into the file, checked by every reader, the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.keys import Files, grid, keys_of
from vlprm.records import Grade, StepLabel

KEYS = {"dataset": "a", "shard": "000", "policy": "small"}
GRADE = Grade(rollout_id="a/1/small#000", correct=True, method="text")


def written(path: Path, **changes: str) -> Path:
    parquet.write([GRADE], path, Grade, keys=KEYS | changes)
    return path


def test_keys_are_written_and_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    assert keys_of(path, Grade, "policy", dataset="a", shard="000") == KEYS
    assert parquet.read(path, Grade, keys=KEYS) == [GRADE]
    assert list(parquet.iterate([path], Grade, keys=KEYS)) == [GRADE]
    assert parquet.frame([path], Grade, ["correct"], keys=KEYS).rows() == [(True,)]
    assert parquet.ByKey([path], Grade, "rollout_id", keys=KEYS)[GRADE.rollout_id] == [GRADE]
    other = parquet.write([GRADE], tmp_path / "b.parquet", Grade, keys=dict(reversed(KEYS.items())))
    assert other == 1
    assert (tmp_path / "b.parquet").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("record", "keys", "said"),
    [
        (Grade, KEYS | {"policy": "large"}, "key policy is 'small', expected 'large'"),
        (Grade, KEYS | {"search": "beam"}, "key search is absent, expected 'beam'"),
        (Grade, {"dataset": "a", "policy": "small"}, "key shard is '000', expected absent"),
        (StepLabel, KEYS, "key table is 'Grade', expected 'StepLabel'"),
    ],
)
def test_a_foreign_table_is_refused_by_every_reader(
    tmp_path: Path, record: type[Grade], keys: dict[str, str], said: str
) -> None:
    path = written(tmp_path / "a.parquet")
    for read in (
        lambda: parquet.read(path, record, keys=keys),
        lambda: list(parquet.iterate([path], record, keys=keys)),
        lambda: parquet.frame([path], record, keys=keys),
        lambda: parquet.ByKey([path], record, "rollout_id", keys=keys),
        lambda: keys_of(path, record, **keys),
    ):
        with pytest.raises(UserError, match=said) as raised:
            read()
        assert raised.value.where == str(path)
        assert "another place or run" in raised.value.what
        assert raised.value.cure
    with pytest.raises(UserError, match="key judge is absent"):
        keys_of(path, Grade, "policy", "judge", dataset="a", shard="000")


def test_a_table_without_keys_is_of_an_older_layout(tmp_path: Path) -> None:
    parquet.write([GRADE], tmp_path / "a.parquet", Grade)
    with pytest.raises(UserError, match="no keys: results of an older layout"):
        parquet.read(tmp_path / "a.parquet", Grade, keys=KEYS)
    with pytest.raises(UserError, match="no such file"):
        parquet.read(tmp_path / "b.parquet", Grade, keys=KEYS)
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        keys_of(tmp_path / "c.parquet", Grade, "dataset")


WANTED = grid(policy=("small", "large"), dataset="a", shard=("000", "001"))


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [written(tmp_path / f"{at}.parquet", **keys) for at, keys in enumerate(WANTED)]


def test_files_are_found_in_any_order(paths: list[Path]) -> None:
    assert WANTED[1] == {"policy": "small", "dataset": "a", "shard": "001"}
    for given in (paths, paths[::-1], paths[1:] + paths[:1]):
        files = Files(given, Grade, WANTED)
        assert files.of() == paths
        assert files.of(policy="large") == paths[2:]
        assert files.of(policy="large", shard="000") == paths[2:3]
    assert Files([], Grade, []).of() == []


def test_missing_doubled_and_foreign_files_are_named(paths: list[Path]) -> None:
    with pytest.raises(UserError, match="1 missing: dataset a, policy large, shard 000"):
        Files([*paths[:2], paths[3]], Grade, WANTED)
    with pytest.raises(UserError, match=r"4 missing: .*; .*; .* and 1 more"):
        Files([], Grade, WANTED)
    with pytest.raises(UserError, match="a second table of dataset a, policy small, shard 000"):
        Files([*paths, paths[0]], Grade, WANTED)
    foreign = written(paths[0].with_name("f.parquet"), policy="middle")
    expected = "f.parquet: key policy is 'middle', expected 'small' or 'large'"
    with pytest.raises(UserError, match=expected):
        Files([*paths, foreign], Grade, WANTED)
    searched = written(paths[0].with_name("g.parquet"), search="beam")
    with pytest.raises(UserError, match="key search is 'beam', expected absent"):
        Files([*paths, searched], Grade, WANTED)
    with pytest.raises(UserError, match="key table is 'Grade', expected 'StepLabel'"):
        Files(paths, StepLabel, WANTED)
    with pytest.raises(UserError, match="expected no table at all"):
        Files(paths, Grade, [])
    with pytest.raises(UserError, match="key set is 'dataset a, policy large, shard 000'"):
        Files(paths, Grade, [WANTED[0], WANTED[1], WANTED[3]])
