"""Every reported input that concerns answers, steps, verdicts and control tokens, by kind."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VLPRM_SHARED", ROOT / "../shared"))
INPUTS = SHARED / "data" / "reported_inputs" / "inputs.json"
pytestmark = pytest.mark.skipif(not INPUTS.is_file(), reason=f"no reported inputs at {INPUTS}")


def _cases() -> list[dict[str, str]]:
    return json.loads(INPUTS.read_text(encoding="utf-8")) if INPUTS.is_file() else []


def _checks() -> dict[str, Callable[[dict[str, str]], tuple[bool, str]]]:
    """The checks of the bench ``reported_inputs``, which is no package."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return importlib.import_module("reported_answers").CHECKS  # type: ignore[no-any-return]
    finally:
        sys.path.remove(str(ROOT / "bench"))


CHECKS = _checks()
OURS = [case for case in _cases() if case["kind"] in CHECKS]


@pytest.mark.parametrize("case", OURS, ids=[f"{c['kind']}-{i}" for i, c in enumerate(OURS)])
def test_reported_case(case: dict[str, str]) -> None:
    right, seen = CHECKS[case["kind"]](case)
    assert right, seen


def test_every_kind_is_there() -> None:
    assert {case["kind"] for case in OURS} == set(CHECKS)
