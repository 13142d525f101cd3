"""Answers as people have them: whole solutions through extraction and grading, by kind of fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlprm.answers.extract import extract_answer
from vlprm.benchmarks import grader
from vlprm.records import Rollout, Sample

TABLE = json.loads(
    (Path(__file__).resolve().parents[2] / "cases" / "answers.json").read_text(encoding="utf-8")
)
SAMPLES = {
    name: Sample(id=f"q/{name}", images=(), **{**fields, "choices": fields.get("choices", ())})
    for name, fields in TABLE["samples"].items()
}
CASES = [(kind, case) for kind, cases in TABLE["kinds"].items() for case in cases]


@pytest.mark.parametrize(
    ("kind", "case"), CASES, ids=[f"{k}-{c['sample']}-{c['note']}" for k, c in CASES]
)
def test_case(kind: str, case: dict[str, Any]) -> None:
    sample = SAMPLES[case["sample"]]
    rollout = Rollout(
        id=f"{sample.id}#000",
        sample_id=sample.id,
        text=case["text"],
        steps=(),
        answer=extract_answer(case["text"], sample),
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        seed=0,
    )
    for scorer in ("mathvista", "mathvision", "a source"):
        grade = grader(scorer)(sample, rollout)
        assert grade.correct is case["correct"], (rollout.answer, grade)


@pytest.mark.parametrize("kind", list(TABLE["kinds"]))
def test_table_is_complete(kind: str) -> None:
    cases = TABLE["kinds"][kind]
    assert {case["correct"] for case in cases} == {True, False}
    notes = " ".join(case["note"] for case in cases)
    for wanted in ("right", "wrong", "almost", "empty", "two answers"):
        assert wanted in notes, f"{kind} has no case of {wanted!r}"
