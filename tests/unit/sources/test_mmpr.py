"""Corpus rows: what is read, what is refused and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlprm.errors import UserError
from vlprm.records import AnswerType
from vlprm.sources import SOURCES
from vlprm.sources.mmpr import questions
from vlprm.sources.unusable import Unusable


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    return tmp_path / "rows.jsonl"


def rows(path: Path, *found: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


GOOD = {"uid": "1", "image": "a.png", "question": "How many?", "answer": "12"}


def test_a_row_becomes_a_draft(corpus: Path) -> None:
    (draft,) = SOURCES["vqav2"]("vqav2", rows(corpus, GOOD), first=None, start=0, stop=1)
    assert (draft.id, draft.answer, draft.answer_type) == ("vqav2/1", "12", AnswerType.INTEGER)


def test_raven_asks_for_a_letter(corpus: Path) -> None:
    row = {
        "id": "7", "combined_image_path": "a.png", "correct_answer": "H", "subset_split": "center"
    }  # fmt: skip
    (draft,) = SOURCES["raven"]("raven", rows(corpus, row), first=None, start=0, stop=1)
    assert (draft.answer_type, len(draft.choices), draft.subset) == (AnswerType.CHOICE, 8, "center")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**GOOD, "image": "b.png"}, "image"),
        ({**GOOD, "answer": ""}, "answer"),
        ({"uid": "2"}, "answer"),
    ],
)
def test_an_unusable_row_is_listed_or_stops_the_stage(
    corpus: Path, row: dict[str, Any], why: str
) -> None:
    path = rows(corpus, GOOD, row)
    found = list(questions("vqav2", "vqav2", path))
    assert isinstance(found[1], Unusable)
    assert why in found[1].reason
    assert found[1].where == f"{path}:2"
    with pytest.raises(UserError, match="correct or remove the row"):
        list(SOURCES["vqav2"]("vqav2", path, first=None, start=0, stop=2))


def test_a_repeated_id_names_both_places(corpus: Path) -> None:
    path = rows(corpus, GOOD, GOOD)
    found = list(questions("vqav2", "vqav2", path))
    assert isinstance(found[1], Unusable)
    assert f"{path}:1" in found[1].reason
