"""Inputs that do not belong together: told by content, because keys name places alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.io.manifest import recorded


def _stage(stage: str, inputs: list[Path], outputs: list[Path], text: str) -> None:
    with recorded(stage, 1, {}, inputs=inputs, outputs=outputs):
        for path in outputs:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two runs of other content: samples and images by one stage, rollouts, scores."""
    for name in ("other", "ours"):
        root = tmp_path / "results" / name
        samples, images = root / "samples/a/000.parquet", root / "images/a/000.parquet"
        rollouts, scores = root / "rollouts/p/a/000.parquet", root / "scores/q/p/a/000.parquet"
        _stage("prepare", [], [samples, images], name)
        _stage("rollout", [samples, images], [rollouts], name)
        _stage("score", [samples, rollouts], [scores], name)
    return tmp_path / "results"


def _select(run: Path, output: str = "selections.parquet") -> None:
    root = run / "ours"
    inputs = [root / "samples/a/000.parquet", root / "rollouts/p/a/000.parquet"]
    _stage("select", [*inputs, root / "scores/q/p/a/000.parquet"], [root / output], "picked")


def test_a_run_of_its_own_is_taken_and_so_is_a_file_without_manifest(run: Path) -> None:
    _select(run)
    scores = run / "ours/scores/q/p/a/000.parquet"
    scores.with_name("000.parquet.manifest.json").unlink()
    scores.write_text("published by others")
    _select(run)


def test_a_file_that_its_stage_did_not_write(run: Path) -> None:
    _select(run)
    shutil.copy(run / "other/scores/q/p/a/000.parquet", run / "ours/scores/q/p/a/000.parquet")
    with pytest.raises(UserError, match=r"scores/q/p/a/000\.parquet: not what stage score wrote"):
        _select(run)
    assert (run / "ours/selections.parquet.manifest.json").exists()


def test_an_output_beside_the_first_in_another_folder(run: Path) -> None:
    (run / "ours/images/a/000.parquet").write_text("damaged")
    samples, images = (run / f"ours/{name}/a/000.parquet" for name in ("samples", "images"))
    with pytest.raises(UserError, match=r"images/a/000\.parquet: not what stage prepare wrote"):
        _stage("rollout", [samples, images], [run / "ours/rollouts/p/a/000.parquet"], "x")


def test_a_later_output_of_the_same_folder(run: Path) -> None:
    folder = run / "ours/searches/a"
    _stage("search", [], [folder / "000.rollouts.parquet", folder / "000.costs.parquet"], "x")
    (folder / "000.costs.parquet").write_text("damaged")
    with pytest.raises(UserError, match=r"000\.costs\.parquet: not what stage search wrote"):
        _stage("costs", [folder / "000.costs.parquet"], [run / "ours/costs.parquet"], "x")


@pytest.mark.parametrize("moved", [False, True])
def test_a_table_of_another_run_with_its_manifest(run: Path, moved: bool) -> None:
    for name in ("000.parquet", "000.parquet.manifest.json"):
        shutil.copy(run / "other/scores/q/p/a" / name, run / "ours/scores/q/p/a" / name)
    if moved:  # a run that was renamed or stands elsewhere by now
        (run / "other").rename(run / "old")
    with pytest.raises(UserError, match=r"stage score made it from another .*samples/a") as told:
        _select(run)
    assert told.value.where == str(run / "ours/scores/q/p/a/000.parquet")


def test_a_table_left_over(run: Path) -> None:
    samples, images = (run / f"ours/{name}/a/000.parquet" for name in ("samples", "images"))
    _stage("rollout", [samples, images], [run / "ours/rollouts/p/a/000.parquet"], "drawn anew")
    with pytest.raises(UserError, match="stage score made it from another"):
        _select(run)


def test_an_input_that_is_an_output(run: Path) -> None:
    before = (run / "ours/scores/q/p/a/000.parquet").read_bytes()
    with pytest.raises(UserError, match="given as input and as output"):
        _select(run, "scores/q/p/a/000.parquet")
    assert (run / "ours/scores/q/p/a/000.parquet").read_bytes() == before


def test_a_torn_manifest(run: Path) -> None:
    (run / "ours/scores/q/p/a/000.parquet.manifest.json").write_text('{"stage": "sco')
    with pytest.raises(UserError, match="this is no manifest"):
        _select(run)
