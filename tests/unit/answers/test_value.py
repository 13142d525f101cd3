"""What number a text states, and what is decided before symbolic maths is asked."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vlprm.answers import symbolic
from vlprm.answers.arithmetic import computed
from vlprm.answers.equal import math_equal
from vlprm.answers.value import read

CASES = Path(__file__).resolve().parents[2] / "cases"
VALUES = json.loads((CASES / "values.json").read_text(encoding="utf-8"))
EQUALITY = json.loads((CASES / "equality.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", VALUES, ids=[case["text"] for case in VALUES])
def test_value(case: dict[str, Any]) -> None:
    value = read(case["text"])
    found = value and (value.number, value.unit)
    assert found == (None if case["number"] is None else (Fraction(case["number"]), case["unit"]))


@pytest.mark.parametrize("case", EQUALITY, ids=[f"{c['gold']}-{c['answer']}" for c in EQUALITY])
def test_equality(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def verify(gold: str, answer: str) -> tuple[bool | None, str | None]:
        asked.append((gold, answer))
        return real(gold, answer)

    real = symbolic.verify
    monkeypatch.setattr(symbolic, "verify", verify)
    outcome = math_equal(case["gold"], case["answer"], places=case["places"], unit=None)
    assert outcome.correct is case["correct"], outcome
    assert bool(asked) == (case["by"] == "symbols")


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 5000, "1+" * 5000, "9^" * 200, "2!" * 100])
def test_hostile_arithmetic_has_no_value(text: str) -> None:
    computed(text)  # comes back, with a value or without
    assert read(text) is None
