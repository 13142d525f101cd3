"""Scorer tables: whole solutions through extraction and grading, one table a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlprm.answers.extract import extract_answer
from vlprm.benchmarks import BENCHMARKS, grader
from vlprm.config.benchmarks import SOURCE_SCORER_VERSION
from vlprm.records import Rollout, Sample

ROOT = Path(__file__).resolve().parents[3]
TABLES = ROOT / "tests" / "cases"
KINDS = [*BENCHMARKS, "matrix"]


def _load() -> list[tuple[str, Sample, dict[str, Any]]]:
    loaded = []
    for kind in KINDS:
        table = json.loads((TABLES / f"{kind}.json").read_text(encoding="utf-8"))
        samples = {
            name: Sample(id=f"{kind}/{name}", images=(), **fields)
            for name, fields in table["samples"].items()
        }
        loaded += [(kind, samples[case["sample"]], case) for case in table["cases"]]
    return loaded


CASES = _load()


def _rollout(sample: Sample, text: str, finish_reason: str) -> Rollout:
    return Rollout(
        id=f"{sample.id}#000",
        sample_id=sample.id,
        text=text,
        steps=(),
        answer=extract_answer(text, sample) if finish_reason == "stop" else None,
        finish_reason=finish_reason,  # type: ignore[arg-type]
        prompt_tokens=1,
        completion_tokens=1,
        seed=0,
    )


@pytest.mark.parametrize(
    ("kind", "sample", "case"), CASES, ids=[f"{c[1].id}-{c[2]['note']}" for c in CASES]
)
def test_case(kind: str, sample: Sample, case: dict[str, Any]) -> None:
    rollout = _rollout(sample, case["text"], case.get("finish_reason", "stop"))
    grade = grader(kind)(sample, rollout)
    assert grade.correct is case["correct"], grade
    assert grade.rollout_id == rollout.id


@pytest.mark.parametrize("kind", KINDS)
def test_table_is_complete(kind: str) -> None:
    own = [case for name, _, case in CASES if name == kind]
    assert len(own) >= 30
    assert {case["correct"] for case in own} == {True, False, None}
    notes = " ".join(case["note"] for case in own)
    for wanted in ("almost", "empty", "refusal", "two boxes"):
        assert wanted in notes, f"{kind} has no case of {wanted!r}"


@pytest.mark.parametrize("path", ["config.yaml", "configs/mini.yaml", "tests/workflow/nano.yaml"])
def test_configurations_state_the_scorers_version(path: str) -> None:
    stated = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))["benchmarks"]
    assert stated
    for name, item in stated.items():
        assert item["scorer_version"] == SOURCE_SCORER_VERSION, name
