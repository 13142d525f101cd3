"""What a run still has to ask: counted from records where they are there, from counts elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.workflow.runs import ROOT, Workdir, nano
from vlprm.config.expected import PREFIXES


def planned(folder: Path) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "vlprm.cli", "plan", "--configfile", str(folder / "run.yaml"),
         "--target-dir", str(folder)],
        cwd=ROOT, text=True, capture_output=True, check=True,
    )  # fmt: skip
    return {line.split()[0]: line.split() for line in done.stdout.split("\n\n")[0].splitlines()[1:]}


def test_nothing_is_left_of_a_complete_run(nano_run: Workdir) -> None:
    nano_run.write_config(nano())
    for rule, row in planned(nano_run.path).items():
        assert row[1] == row[2], f"{rule}: all jobs are done"
        assert row[3] == "0"


def test_what_is_missing_is_planned_from_its_inputs(nano_run: Workdir, tmp_path: Path) -> None:
    other = Workdir(tmp_path)
    other.write_config(nano())
    shutil.copytree(nano_run.path / "results", tmp_path / "results")
    root = tmp_path / "results" / "nano"
    for name in ("rollouts/small/matrix/000", "scores/prm-small/large/matrix/000"):
        for file in root.glob(f"{name}.parquet*"):
            if not file.name.endswith(".ledger"):
                file.unlink()
    rows = planned(tmp_path)
    size = nano()["benchmarks"]["matrix"]["data"]["shard_size"]
    candidates = size * nano()["evaluation"]["ranking"]["candidates"]
    assert rows["rollout"][3:5] == [str(candidates), "completions"]
    assert rows["score"][3:5] == [str(candidates), "candidates"]
    assert rows["rollout"][5] == "1", "its ledger holds the one call"
    assert rows["judge"][3] == "0"
    assert not list(root.rglob("*.tmp"))


def test_continuations_of_rollouts_to_come_are_those_expected(tmp_path: Path) -> None:
    """Nobody knows how many steps they will have."""
    Workdir(tmp_path).write_config(nano())
    source = nano()["sources"]["matrix-train"]
    drawn = source["data"]["n"] * source["rollouts"]
    expected = round(PREFIXES * nano()["labels"]["estimates"]["continuations"] * drawn)
    assert planned(tmp_path)["estimate"][3:5] == [f"~{expected:,}", "continuations"]


def test_an_output_that_was_deleted_is_not_done(nano_run: Workdir, tmp_path: Path) -> None:
    other = Workdir(tmp_path)
    other.write_config(nano())
    shutil.copytree(nano_run.path / "results", tmp_path / "results")
    (tmp_path / "results/nano/scores/prm-small/large/matrix/000.parquet").unlink()
    row = planned(tmp_path)["score"]
    assert int(row[2]) == int(row[1]) - 1
