"""Files of solutions: what a row may hold, and what is said of one that cannot be scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlprm.errors import UserError
from vlprm.records import StepScore
from vlprm.scoring.answers import read_rows, scored_line
from vlprm.scoring.model import Scored


def file(folder: Path, *rows: dict[str, Any]) -> Path:
    Image.new("RGB", (56, 56), "red").save(folder / "a.png")
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_steps_or_a_solution(tmp_path: Path) -> None:
    base = {"image": "a.png", "question": "Which?"}
    path = file(
        tmp_path,
        base | {"steps": ["One.", "Two."], "id": 7},
        base | {"solution": "One.\n\nTwo.\n\nThree."},
        {"images": ["a.png", "a.png"], "question": "Which?", "steps": ["One."]},
    )
    found = [row.solution for row in read_rows(path, "blank_lines")]
    assert [item and item.steps for item in found] == [
        ("One.", "Two."), ("One.", "Two.", "Three."), ("One.",),
    ]  # fmt: skip
    assert found[0] and found[0].id == f"{path}:1 (7)"
    assert found[2] and len(found[2].images) == 2


@pytest.mark.parametrize(
    "row", [{"solution": "no tags at all"}, {"steps": []}, {"steps": ["One.", ""]}]
)
def test_a_solution_without_steps_is_a_value(tmp_path: Path, row: dict[str, Any]) -> None:
    path = file(tmp_path, {"image": "a.png", "question": "Which?"} | row)
    (found,) = read_rows(path, "tagged")
    assert found.solution is None
    line = json.loads(scored_line(found, None))
    assert line["scores"] is None
    assert line["error"].startswith("no steps: ")
    assert line["question"] == "Which?"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": "b.png"}, "no image 'b.png'"),
        ({"image": None}, "image"),
        ({"images": []}, "'images' is not a list of paths"),
        ({"question": " "}, "question"),
        ({"steps": "One."}, "steps"),
        ({"steps": [1]}, "'steps' is not a list of texts"),
        ({"steps": None}, "steps"),
    ],
)
def test_bad_rows_name_their_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    good = {"image": "a.png", "question": "Which?", "steps": ["One."]}
    path = file(tmp_path, good, good | change)
    with pytest.raises(UserError, match=r"answers\.jsonl:2") as told:
        list(read_rows(path, "blank_lines"))
    assert said in told.value.what


def test_neither_steps_nor_solution(tmp_path: Path) -> None:
    path = file(tmp_path, {"image": "a.png", "question": "Which?"})
    with pytest.raises(UserError, match="neither 'steps' nor 'solution'"):
        list(read_rows(path, "blank_lines"))


def test_a_scored_line(tmp_path: Path) -> None:
    path = file(tmp_path, {"image": "a.png", "question": "Wäre?", "steps": ["a", "b"], "mine": 1})
    (row,) = read_rows(path, "blank_lines")

    def score(index: int, plus: float) -> StepScore:
        return StepScore(
            rollout_id="", step_index=index, logit_plus=plus, logit_minus=0.0, prompt_tokens=9
        )

    line = scored_line(row, Scored((score(0, 0.0), score(1, 1.0)), score(-1, 0.0)))
    assert "Wäre?" in line
    found = json.loads(line)
    assert found["mine"] == 1
    assert found["scores"]["steps"] == [0.5, 0.731059]
    assert found["scores"]["min"] == found["scores"]["whole"] == 0.5
    assert found["scores"]["max"] == found["scores"]["last"] == 0.731059
