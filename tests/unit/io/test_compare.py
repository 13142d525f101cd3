"""The comparison of two runs: what counts, what does not, and when it must fail."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.io.compare import compare_runs, differences


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


RUN = {"tables/strategies.csv": "a,b\n", "grades/p/x/000.parquet": "bytes"}


def test_equal_runs_are_the_same(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "1", RUN), tree(tmp_path / "2", RUN)
    assert [item.outcome for item in differences(one, two)] == ["same", "same"]
    assert compare_runs(one, two) == 0


def test_one_changed_byte_differs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = tree(tmp_path / "1", RUN)
    two = tree(tmp_path / "2", RUN | {"tables/strategies.csv": "a,c\n"})
    with caplog.at_level(logging.INFO):
        assert compare_runs(one, two) == 1
    assert "1 same, 1 differ, 0 missing" in caplog.text
    (changed,) = [item for item in differences(one, two) if item.outcome == "differs"]
    assert changed.path == "tables/strategies.csv"
    assert changed.first != changed.second


@pytest.mark.parametrize("side", [0, 1])
def test_a_missing_result_fails_whichever_side_it_is_on(tmp_path: Path, side: int) -> None:
    trees = [tree(tmp_path / "1", RUN), tree(tmp_path / "2", RUN)]
    (trees[side] / "tables/strategies.csv").unlink()
    assert compare_runs(*trees) == 1
    assert [item.outcome for item in differences(*trees)] == ["same", "missing"]


@pytest.mark.parametrize(
    "volatile",
    [
        "prm/a/model.timing.json",
        "rollout.log",
        "logs/x/y.txt",
        "report.html",
        "verdicts/p/x/001.parquet.ledger",
        "verdicts/p/x/001.parquet.running.json",
    ],
)
def test_volatile_files_do_not_count(tmp_path: Path, volatile: str) -> None:
    one = tree(tmp_path / "1", RUN | {volatile: "10:00"})
    two = tree(tmp_path / "2", RUN | {volatile: "11:00"})
    assert compare_runs(one, two) == 0


def test_manifests_do_count(tmp_path: Path) -> None:
    one = tree(tmp_path / "1", RUN | {"a.parquet.manifest.json": "1"})
    two = tree(tmp_path / "2", RUN | {"a.parquet.manifest.json": "2"})
    assert compare_runs(one, two) == 1


def test_nothing_to_compare_is_an_error(tmp_path: Path) -> None:
    one, empty = tree(tmp_path / "1", RUN), tmp_path / "2"
    with pytest.raises(UserError, match="no results to compare"):
        differences(one, empty)
    empty.mkdir()
    with pytest.raises(UserError, match="two finished runs"):
        differences(empty, one)
