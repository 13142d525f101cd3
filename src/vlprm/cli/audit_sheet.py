"""The sheet of a hand audit: questions, solutions and images to mark, and the key kept apart.

The sheet does not say what the judge said, so that it leads nobody; ``key.json`` does.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from vlprm.benchmarks import question_text
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.images import ImageStore
from vlprm.io.keys import keys_of
from vlprm.metrics.audit import Mark, Stratum, Verdicted, draw
from vlprm.records import Rollout, Sample, Verdict

SHEET, KEY = "sheet.csv", "key.json"
COLUMNS = ("rollout_id", "question", "answer", "images", "steps", "mark", "note")
HOW = "right, the number of the first wrong step, or ? where you cannot tell"


def write_sheet(results: Path, folder: Path, policy: str, n: int, seed: int) -> int:
    """Draw ``n`` verdicts of a policy's rollouts into ``folder``; returns how many there were.

    Raises UserError where the run has no verdict of that policy, and rather than write over a
    sheet, which may be half marked.
    """
    if (folder / SHEET).exists():
        raise UserError(
            "there is a sheet already", where=str(folder / SHEET), cure="name another folder"
        )
    tables = sorted((results / "verdicts" / policy).glob("*/*.parquet"))
    drawn, sizes = draw((item for path in tables for item in _verdicts(path)), n, seed)
    if not drawn:
        raise UserError(
            f"no usable verdict of policy {policy!r}",
            where=str(results / "verdicts"),
            cure="give the results folder of a run whose judge has been asked, and labels.policy",
        )
    rows: dict[str, dict[str, str]] = {}
    for path in tables:
        rows |= _rows(results, folder, path, {item.rollout_id for item in drawn})
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[item.rollout_id] for item in drawn)
    key = {
        "seed": seed,
        "strata": [[*stratum, size] for stratum, size in sizes.items()],
        "verdicts": [
            [item.rollout_id, item.sample_id, item.source, item.first_error] for item in drawn
        ],
    }
    write_text(folder / KEY, json.dumps(key, indent=1) + "\n")
    write_text(folder / SHEET, buffer.getvalue())
    return len(drawn)


def read_sheet(folder: Path) -> tuple[list[Verdicted], list[Mark], dict[Stratum, int]]:
    """The drawn verdicts, the mark of each, and the sizes of the strata.

    Raises UserError for a sheet or key that is missing or damaged, for rows that are doubled,
    missing or foreign, and for a mark that is none, with its line.
    """
    drawn, sizes = _read_key(folder / KEY)
    sheet = folder / SHEET
    try:
        text = sheet.read_text(encoding="utf-8-sig")  # as spreadsheets save it
    except (OSError, ValueError) as error:
        raise UserError(
            "no readable sheet", where=str(sheet), cure="save it as CSV in UTF-8 under this name"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not {"rollout_id", "mark", "steps"} <= set(reader.fieldnames or ()):
        raise UserError(
            "no columns rollout_id, steps and mark", where=str(sheet), cure="keep the first line"
        )
    known = {item.rollout_id for item in drawn}
    marks: dict[str, Mark] = {}
    for row in reader:
        where, name = f"{sheet}:{reader.line_num}", row["rollout_id"]
        if name not in known or name in marks:
            what = "stands twice" if name in marks else "was not drawn"
            raise UserError(
                f"{name!r:.100} {what}", where=where, cure="keep each row of the sheet once"
            )
        marks[name] = _mark(row["mark"] or "", (row["steps"] or "").count("\n") + 1, where)
    if missing := [item.rollout_id for item in drawn if item.rollout_id not in marks]:
        raise UserError(
            f"{len(missing)} rows are gone: {missing[0]}",
            where=str(sheet),
            cure="keep them; a row without a mark counts nowhere",
        )
    return drawn, [marks[item.rollout_id] for item in drawn], sizes


def _mark(text: str, steps: int, where: str) -> Mark:
    said = text.strip().lower()
    if not said:
        return None
    if said in ("right", "?"):
        return "right" if said == "right" else "unclear"
    if said.isascii() and said.isdigit() and 1 <= int(said) <= steps:
        return int(said) - 1
    raise UserError(f"{text!r:.60} is no mark of {steps} steps", where=where, cure=f"write {HOW}")


def _read_key(path: Path) -> tuple[list[Verdicted], dict[Stratum, int]]:
    try:
        key = json.loads(path.read_text(encoding="utf-8"))
        drawn = [Verdicted(*item) for item in key["verdicts"]]
        return drawn, {(source, right): size for source, right, size in key["strata"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            "no readable key of an audit", where=str(path), cure="draw again into another folder"
        ) from error


def _verdicts(path: Path) -> Iterator[Verdicted]:
    """Usable verdicts of one shard."""
    keys = keys_of(path, Verdict, "dataset", "shard", "policy")
    rows = parquet.frame([path], Verdict, ["rollout_id", "first_error", "status"])
    for name, error in rows.filter(pl.col("status") == "ok").drop("status").iter_rows():
        yield Verdicted(name, name.rpartition("/")[0], keys["dataset"], error)


def _rows(
    results: Path, folder: Path, verdicts: Path, chosen: set[str]
) -> dict[str, dict[str, str]]:
    """Rows of the sheet from one shard; their images are written into the folder."""
    keys = keys_of(verdicts, Verdict, "dataset", "shard", "policy")
    place = Path(keys["dataset"], verdicts.name)
    wanted = [
        item
        for item in parquet.iterate([results / "rollouts" / keys["policy"] / place], Rollout)
        if item.id in chosen
    ]
    if not wanted:
        return {}
    asked = {item.sample_id for item in wanted}
    samples = parquet.iterate([results / "samples" / place], Sample)
    questions = {item.id: item for item in samples if item.id in asked}
    store = ImageStore(results / "images" / place)
    return {item.id: _row(item, questions[item.sample_id], store, folder) for item in wanted}


def _row(rollout: Rollout, sample: Sample, store: ImageStore, folder: Path) -> dict[str, str]:
    names = [f"images/{ref.sha256[:16]}.png" for ref in sample.images]
    for name, ref in zip(names, sample.images, strict=True):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        store.open(ref).save(folder / name, format="PNG")
    steps = (
        f"{step.index + 1}. [{step.section}] {' '.join(step.text.split())}"
        for step in rollout.steps
    )
    return {
        "rollout_id": rollout.id,
        "question": question_text(sample),
        "answer": sample.answer,
        "images": " ".join(names),
        "steps": "\n".join(steps),
        "mark": "",
        "note": "",
    }
