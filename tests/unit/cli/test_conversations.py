"""Published conversations brought in by the command line, up to what a training reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from vlprm.cli import app
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.records import PRMExample
from vlprm.solutions.rollouts import sample_of

RUN = CliRunner()


def png(colour: str, side: int = 56) -> dict[str, Any]:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return {"bytes": out.getvalue(), "path": None}


def row(question: str, answer: str, image: dict[str, Any] | None) -> dict[str, Any]:
    text = f"### Question:\n{question}\n\n### Solution Process:\nA step.\n\n"
    said = [("system", "S"), ("user", text), ("assistant", answer)]
    turns = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in said]
    return {"id": "x", "conversations": turns, "image": image, "source": "RAVEN"}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def test_what_a_training_reads(tmp_path: Path) -> None:
    red, blue = png("red"), png("blue")
    rows = tmp_path / "hub"
    written(rows / "train/0.parquet", row("Q", "+", red), row("Q", "-", red), row("Q", "?", red))
    written(
        rows / "train/1.parquet", row("Q", "-", blue), row("Q", "+", {"bytes": b"no", "path": ""})
    )
    out = tmp_path / "data"
    done = RUN.invoke(app, ["import-conversations", str(rows), str(out)])
    assert done.exit_code == 0, done.output
    assert "conversations=3 images=2 unusable=2 minus=2 plus=1" in done.output
    found = list(parquet.iterate([out / "examples.parquet"], PRMExample))
    assert [item.labels for item in found] == [(1,), (0,), (0,)]
    assert len({item.rollout_id for item in found}) == 3
    questions = [sample_of(item.rollout_id) for item in found]
    assert questions[0] == questions[1] != questions[2]
    ImageStore(out / "images.parquet").require(ref for item in found for ref in item.images)
    left_out = (out / "unusable.csv").read_text()
    assert "0.parquet:2" in left_out
    assert "1.parquet:1" in left_out


def test_the_first_ones_with_another_system_prompt(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.parquet", row("Q", "+", png("red")), row("R", "-", png("red")))
    out = tmp_path / "data"
    asked = ["--n", "1", "--system-prompt", "prm_system_v1"]
    done = RUN.invoke(app, ["import-conversations", str(rows), str(out), *asked])
    assert done.exit_code == 0, done.output
    (only,) = parquet.iterate([out / "examples.parquet"], PRMExample)
    assert only.question == "Q"
    assert len(only.system) > 20


def test_nothing_usable_leaves_no_examples(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.parquet", row("Q", "maybe", png("red")))
    out = tmp_path / "data"
    done = RUN.invoke(app, ["import-conversations", str(rows), str(out)])
    assert isinstance(done.exception, UserError)
    assert "neither + nor -" in str(done.exception)
    assert not list(out.glob("examples*"))


@pytest.mark.parametrize("given", ["absent.parquet", "."])
def test_no_files(tmp_path: Path, given: str) -> None:
    done = RUN.invoke(app, ["import-conversations", str(tmp_path / given), str(tmp_path / "data")])
    assert isinstance(done.exception, UserError)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.parquet", row("Q", "+", png("red")))
    out = tmp_path / "data"
    for _ in range(2):
        done = RUN.invoke(app, ["import-conversations", str(rows), str(out)])
    assert isinstance(done.exception, UserError)
    assert "holds conversations already" in str(done.exception)
