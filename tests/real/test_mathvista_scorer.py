"""Scorer facts of the published result file, records 1-4 (spec: evaluation 6, 8.5)."""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from vlprm.answers.extract import extract_answer
from vlprm.answers.marks import last_box
from vlprm.benchmarks import BENCHMARKS, Row, grader
from vlprm.config.benchmarks import GradingConfig
from vlprm.records import Rollout, Sample

SHARED = Path(os.environ.get("VLPRM_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
DEV8 = SHARED / "data" / "mathvista_dev8"
pytestmark = pytest.mark.skipif(not DEV8.is_dir(), reason=f"no result file under {DEV8}")

END_OF_TURN = "<|im_end|>"
PUBLISHED = GradingConfig(scorer="published")


@cache
def _records() -> list[tuple[Sample, list[str], dict[str, Any], dict[str, Any]]]:
    """Sample, texts of the candidates, the raw record, the derived facts."""
    raw = json.loads((DEV8 / "candidates.json").read_text(encoding="utf-8"))
    derived = json.loads((DEV8 / "derived_scores.json").read_text(encoding="utf-8"))
    found = []
    for record, facts in zip(raw, derived, strict=True):
        row = Row(record["index"], record["annotation"], f"record {record['index']}", DEV8)
        draft = BENCHMARKS["mathvista"].prepare(row, "mathvista")
        candidates = record["iteration_history"][0]["candidates_info"]
        texts = [item["candidate_step"] for item in candidates]
        found.append((draft.to_sample(()), texts, record, facts))
    return found


def _rollout(sample: Sample, number: int, text: str) -> Rollout:
    finished = text.removesuffix(END_OF_TURN)
    return Rollout(
        id=f"{sample.id}#{number:03d}",
        sample_id=sample.id,
        text=finished,
        steps=(),
        answer=extract_answer(finished, sample),
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        seed=0,
    )


def test_samples() -> None:
    samples = [sample for sample, *_ in _records()]
    assert [str(s.answer_type) for s in samples] == ["float", "integer", "choice", "integer"]
    assert [s.answer for s in samples] == ["1.2", "1000", "C", "4"]
    assert [s.precision for s in samples] == [1, None, None, None]
    assert samples[1].unit == "g"
    assert samples[2].choices == ("135°", "140°", "145°", "150°")


def test_boxes() -> None:
    boxes = [
        (last_box(text), facts["candidates"][number]["boxed"])
        for _, texts, _, facts in _records()
        for number, text in enumerate(texts)
    ]
    assert Counter(box is not None for box, _ in boxes) == {True: 54, False: 10}
    assert all(ours == theirs for ours, theirs in boxes)


def test_our_scorer_agrees_with_the_independent_one() -> None:
    grade = grader("mathvista")
    right = 0
    for sample, texts, _, facts in _records():
        for number, text in enumerate(texts):
            ours = grade(sample, _rollout(sample, number, text)).correct
            assert ours is facts["candidates"][number]["independent_correct"], (sample.id, number)
            right += bool(ours)
    assert right == 19


def test_published_scorer_is_reproduced() -> None:
    grade = grader("mathvista", PUBLISHED)
    flags = []
    for sample, texts, _, facts in _records():
        for number, text in enumerate(texts):
            theirs = grade(sample, _rollout(sample, number, text)).correct
            assert theirs is facts["candidates"][number]["upstream_correct"], (sample.id, number)
            flags.append((theirs, facts["candidates"][number]["independent_correct"]))
    assert sum(theirs for theirs, _ in flags) == 17
    assert Counter(flags)[(False, True)] == 2  # false negatives: right letters without a box
    assert Counter(flags)[(True, False)] == 0


@pytest.mark.parametrize("config", [GradingConfig(), PUBLISHED], ids=["own", "published"])
def test_chosen_candidates(config: GradingConfig) -> None:
    """Of the four candidates that upstream selected, two are right by either scorer."""
    grade = grader("mathvista", config)
    right = 0
    for sample, texts, record, facts in _records():
        chosen = facts["chosen"]
        assert texts[chosen] == record["final_steps"][-1]
        right += bool(grade(sample, _rollout(sample, chosen, texts[chosen])).correct)
    assert right == 2
