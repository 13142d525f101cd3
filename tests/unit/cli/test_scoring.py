"""Solutions of a file scored by the command, as Python scores them."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from tests.workflow.runs import ROOT
from vlprm.cli import app
from vlprm.errors import UserError
from vlprm.scoring import VLPRM

PRM = str(ROOT / "models" / "mini" / "small")
RUN = CliRunner()


def test_the_command_and_python_agree(tmp_path: Path) -> None:
    picture = Image.linear_gradient("L").resize((84, 84)).convert("RGB")
    picture.save(tmp_path / "a.png")
    base = {"image": "a.png", "question": "Which?"}
    rows = [
        base | {"id": "x", "steps": ["One.", "Two."]},
        base | {"steps": []},
        base | {"solution": "A.\n\nB."},
    ]
    answers, out = tmp_path / "answers.jsonl", tmp_path / "scores.jsonl"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = RUN.invoke(app, ["score-answers", str(answers), "--prm", PRM, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "2 scored, 1 without steps" in done.output
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["scores"] is None for row in found] == [False, True, False]
    model = VLPRM.from_pretrained(PRM)
    for row, steps in ((found[0], ("One.", "Two.")), (found[2], ("A.", "B."))):
        said = model.score(tmp_path / "a.png", "Which?", steps)
        assert max(abs(a - b) for a, b in zip(row["scores"]["steps"], said, strict=True)) < 2e-6
    assert found[0]["id"] == "x"


def test_a_bad_row_is_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"image": "a.png", "question": "Which?", "steps": ["One."]}\n')
    out = tmp_path / "out.jsonl"
    asked = ["score-answers", str(answers), "--prm", str(tmp_path / "no"), "--out", str(out)]
    done = RUN.invoke(app, asked)
    assert isinstance(done.exception, UserError)
    assert "no image 'a.png'" in str(done.exception)
    assert not out.exists()
