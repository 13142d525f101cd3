"""Solutions and judges' replies as models write them: line ends, markdown, thoughts, quotations."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from vlprm.labels.verdicts import parse_verdict
from vlprm.records import Section, Step
from vlprm.solutions.steps import StepParseError, pieces, prefixes, split

TABLE = json.loads(
    (Path(__file__).resolve().parents[2] / "cases" / "steps.json").read_text(encoding="utf-8")
)
JUDGED = tuple(
    Step(index=i, section=Section.PERCEPTION if i < 2 else Section.REASONING, text="s", end=i)
    for i in range(4)
)


@pytest.mark.parametrize(
    "case", TABLE["steps"], ids=[f"{c['layout']}-{c['note']}" for c in TABLE["steps"]]
)
def test_steps(case: dict[str, Any]) -> None:
    text = case["text"]
    if case["sections"] is None:
        with pytest.raises(StepParseError):
            split(text, case["layout"])
        return
    steps = split(text, case["layout"])
    assert [str(step.section) for step in steps] == case["sections"]
    if "texts" in case:
        assert [step.text.replace("\r", "") for step in steps] == case["texts"]
    assert "".join(pieces(text, steps)) == text
    assert all(text.startswith(prefix) for prefix in prefixes(text, steps))


@pytest.mark.parametrize("case", TABLE["verdicts"], ids=[c["note"] for c in TABLE["verdicts"]])
def test_verdict(case: dict[str, Any]) -> None:
    verdict = parse_verdict("q/1#000", "judge", case["raw"], JUDGED)
    assert (verdict.status, verdict.first_error) == (case["status"], case["first"]), verdict
    assert bool(verdict.reason) == (case["status"] != "ok")
    assert verdict.raw == case["raw"]


@pytest.mark.parametrize("kind", ["steps", "verdicts"])
def test_table_is_complete(kind: str) -> None:
    notes = " ".join(case["note"] for case in TABLE[kind])
    for wanted in ("right", "wrong", "almost", "empty", "two answers"):
        assert wanted in notes, f"{kind} has no case of {wanted!r}"


@pytest.mark.parametrize(
    "piece", [" ", "\n", "> ", "# ", "<step_1>", "[Reasoning]\n", "<analysis_1>", "<conclusion>"]
)
def test_a_model_that_loops_does_not_hold_up_reading(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    for layout in ("tagged", "blank_lines"):
        with contextlib.suppress(StepParseError):
            split(text, layout)  # type: ignore[arg-type]
    parse_verdict("q/1#000", "judge", text, JUDGED)
    assert time.process_time() - start < 5
