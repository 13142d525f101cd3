"""Options, precisions and images in every form that rows store them in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from vlprm.benchmarks import BENCHMARKS
from vlprm.benchmarks.benchmark import Row
from vlprm.benchmarks.cells import options, picture, several
from vlprm.errors import UserError

TABLE = json.loads(
    (Path(__file__).resolve().parents[2] / "cases" / "cells.json").read_text(encoding="utf-8")
)
FREE = {
    "question": "?", "image": "aWFt", "answer": "1.5", "question_type": "free_form",
    "answer_type": "float",
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE["options"], ids=lambda case: case["note"])
def test_options(case: dict[str, Any]) -> None:
    if "is" in case:
        assert options(case["value"], "rows:3") == tuple(case["is"])
        return
    with pytest.raises(UserError, match=case["says"]) as found:
        options(case["value"], "rows:3")
    assert str(found.value).startswith("rows:3: ")
    assert len(str(found.value).splitlines()) == 2, "message and cure"


@pytest.mark.parametrize("case", TABLE["precision"], ids=lambda case: str(case["value"]))
def test_precision(case: dict[str, Any], tmp_path: Path) -> None:
    row = Row("1", {**FREE, "precision": case["value"]}, "rows:3", tmp_path)
    if "says" in case:
        with pytest.raises(UserError, match=rf"rows:3: .*{case['says']}"):
            BENCHMARKS["mathvista"].prepare(row, "d")
    else:
        assert BENCHMARKS["mathvista"].prepare(row, "d").precision == case["is"]


def test_several_gold_answers_or_one() -> None:
    assert several("['1.5', '3/2']", "rows:3") == ["1.5", "3/2"]
    assert several("[open", "rows:3") == ["[open"]
    assert several("7", "rows:3") == ["7"]


def test_images(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.png").write_bytes(b"x")
    (tmp_path / "out.png").write_bytes(b"x")
    row = Row("1", {}, "rows:3", tmp_path / "rows")
    assert picture("a.png", row) == tmp_path / "rows" / "a.png"
    assert picture({"bytes": b"iam", "path": None}, row) == picture(b"iam", row) == b"iam"
    assert picture({"bytes": base64.b64encode(b"iam").decode()}, row) == b"iam"
    for none in (None, b"", "", {"bytes": None, "path": "a.png"}, {}):
        assert picture(none, row) is None
    for value, said in [
        ("b.png", "no such image"), ("../out.png", "leads out"), ("a\0.png", "no such image"),
        ("." * 251 + "/a", "no such image"), ("%%%", "not base64"), ("é" * 300, "not base64"),
        (7, "neither bytes nor a file"), (["a.png"], "neither bytes nor a file"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=f"rows:3: .*{said}"):
            picture(value, row)
