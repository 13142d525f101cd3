"""Bad rows of real files: the prepare command says file, line and cure, and writes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

GOOD = {"uid": "1", "image": "a.png", "question": "How many?", "answer": "12"}
RAVEN = {"id": "1", "combined_image_path": "a.png", "correct_answer": "A", "subset_split": "x"}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


CASES = {
    "duplicate id": ("vqav2", lines(GOOD, GOOD), "rows.jsonl:2", "appeared before"),
    "malformed line": ("vqav2", lines(GOOD) + '{"uid": \n', "rows.jsonl:2", "malformed JSON line"),
    "empty data set": ("vqav2", "", "rows.jsonl", "no rows"),
    "no answer": ("vqav2", lines({**GOOD, "answer": ""}), "rows.jsonl:1", "answer"),
    "answer not among choices": (
        "raven", lines({**RAVEN, "correct_answer": "K"}), "rows.jsonl:1", "not a letter",
    ),
    "missing image": ("vqav2", lines({**GOOD, "image": "b.png"}), "rows.jsonl:1", "b.png"),
    "truncated image": ("vqav2", lines({**GOOD, "image": "cut.png"}), "rows.jsonl:1", "truncated"),
    "unreadable image": (
        "vqav2", lines({**GOOD, "image": "text.png"}), "rows.jsonl:1", "no known format",
    ),
}  # fmt: skip


def prepare(folder: Path, kind: str, rows: str | None) -> subprocess.CompletedProcess[str]:
    Image.effect_noise((64, 64), 50).save(folder / "a.png")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:900])
    (folder / "text.png").write_text("no picture")
    if rows is not None:
        (folder / "rows.jsonl").write_text(rows)
    n = max(1, len((rows or "").splitlines()))
    data = {"kind": kind, "path": str(folder / "rows.jsonl"), "n": n, "shard_size": n}
    config = {
        "dataset": "d",
        "shard": "000",
        "data": data,
        "start": 0,
        "stop": n,
        "rows_sha256": None,
    }
    arguments = ["--samples", str(folder / "s.parquet"), "--images", str(folder / "i.parquet")]
    return subprocess.run(
        [sys.executable, "-m", "vlprm.cli", "prepare", *arguments, "--config", json.dumps(config)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", CASES)
def test_one_message_and_nothing_half_written(case: str, tmp_path: Path) -> None:
    kind, rows, where, said = CASES[case]
    done = prepare(tmp_path, kind, rows)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert where in done.stderr
    assert said in done.stderr
    assert "-> " in done.stderr, "no cure is named"
    assert not list(tmp_path.glob("*.parquet*"))
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_missing_file(tmp_path: Path) -> None:
    done = prepare(tmp_path, "vqav2", None)
    assert done.returncode == 2
    assert "rows.jsonl" in done.stderr


def test_good_rows_pass(tmp_path: Path) -> None:
    done = prepare(tmp_path, "vqav2", lines(GOOD))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.parquet.manifest.json").exists()
