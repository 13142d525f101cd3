"""A hand audit from a run's tables to its page, and sheets that were spoilt by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.puzzles import questions
from vlprm.cli import app
from vlprm.cli.audit_sheet import read_sheet, write_sheet
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.records import Rollout, Sample, Section, Step, Verdict

RUN = CliRunner()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run of one source: eight questions, one rollout of two steps each, every second wrong."""
    root = tmp_path / "results" / "run"
    samples, store = questions(8)
    rollouts = [
        Rollout(
            id=f"{sample.id}/p#000", sample_id=sample.id, text="t", answer=None,
            finish_reason="stop", prompt_tokens=1, completion_tokens=1, seed=0,
            steps=tuple(
                Step(index=k, section=Section.REASONING, text=f"so\nstep {k}", end=1)
                for k in range(2)
            ),
        )
        for sample in samples
    ]  # fmt: skip
    verdicts = [
        Verdict(rollout_id=item.id, judge="j", first_error=k % 2 or None, status="ok", raw="SAID")
        for k, item in enumerate(rollouts)
    ]
    keys = {"dataset": "d", "shard": "000"}
    drawn = keys | {"policy": "p"}
    parquet.write(samples, root / "samples/d/000.parquet", Sample, keys=keys)
    store.save(root / "images/d/000.parquet")
    parquet.write(rollouts, root / "rollouts/p/d/000.parquet", Rollout, keys=drawn)
    parquet.write(verdicts, root / "verdicts/p/d/000.parquet", Verdict, keys=drawn)
    return root


def marked(sheet: Path, *marks: str) -> None:
    with sheet.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, mark in zip(rows, marks, strict=True):
        row["mark"] = mark
    with sheet.open("w", newline="", encoding="utf-8-sig") as file:  # as a spreadsheet does
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_from_draw_to_page(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    done = RUN.invoke(app, ["audit-draw", str(results), str(folder), "--policy", "p", "--n", "6"])
    assert done.exit_code == 0, done.output
    sheet = folder / "sheet.csv"
    with sheet.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[0]["steps"] == "1. [reasoning] so step 0\n2. [reasoning] so step 1"
    assert all((folder / name).is_file() for row in rows for name in row["images"].split())
    assert "SAID" not in sheet.read_text()
    errors = [item[3] for item in json.loads((folder / "key.json").read_text())["verdicts"]]
    # agree with every verdict but the last, which cannot be told
    marked(sheet, *("right" if e is None else str(e + 1) for e in errors[:-1]), " ? ")
    done = RUN.invoke(app, ["audit-read", str(folder)])
    assert done.exit_code == 0, done.output
    assert "6 verdicts drawn; 0 without a mark, 1 unclear." in done.output
    assert "| the judge's conclusion is right | 100.0 [" in done.output
    assert (folder / "audit.md").read_text() == done.output
    with pytest.raises(UserError, match="there is a sheet already"):
        write_sheet(results, folder, "p", 6, 0)


@pytest.mark.parametrize(
    ("marks", "what"),
    [(("3", ""), r"sheet\.csv:\d+: '3' is no mark of 2 steps"), (("0", ""), "'0' is no mark"),
     (("yes", ""), "write right, the number")],
)  # fmt: skip
def test_a_mark_that_is_none(
    results: Path, tmp_path: Path, marks: tuple[str, str], what: str
) -> None:
    folder = tmp_path / "audit"
    write_sheet(results, folder, "p", 2, 0)
    marked(folder / "sheet.csv", *marks)
    with pytest.raises(UserError, match=what):
        read_sheet(folder)


def test_rows_that_are_gone_or_twice(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    write_sheet(results, folder, "p", 2, 0)
    _, marks, sizes = read_sheet(folder)
    assert marks == [None, None]
    assert sum(sizes.values()) == 8
    sheet = folder / "sheet.csv"
    with sheet.open(newline="", encoding="utf-8") as file:
        head, first, _ = csv.reader(file)
    for rows, what in (([head, first], "1 rows are gone"), ([head, first, first], "stands twice")):
        with sheet.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        with pytest.raises(UserError, match=what):
            read_sheet(folder)
    (folder / "key.json").unlink()
    with pytest.raises(UserError, match="no readable key"):
        read_sheet(folder)


def test_a_policy_that_nobody_judged(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no usable verdict of policy 'q'"):
        write_sheet(results, tmp_path / "audit", "q", 2, 0)
    assert not (tmp_path / "audit").exists()
