"""Counting: JSON lines of pictures and how many things are in them.

Row: ``{"id": "dots-3", "image": "3.png", "question": "How many dots?", "count": 3}``; images lie
beside the file. Scorer: the one whole number of the answer, in digits or as a word, is right
within a tenth of the count (so exactly, below ten).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from vlprm.benchmarks import grading
from vlprm.benchmarks.benchmark import Benchmark, Row
from vlprm.benchmarks.cells import image_path
from vlprm.importing import field, files, read_jsonl, text
from vlprm.importing.draft import SampleDraft
from vlprm.records import AnswerType, Grade, Rollout, Sample

_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_NUMBER = re.compile(rf"-?\d[\d,]*(?:\.\d+)?|\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


def rows(root: Path) -> Iterator[Row]:
    """Rows of every file under ``root``, keyed by their id."""
    for path in files(root, "*.jsonl"):
        for number, data in read_jsonl(path):
            where = f"{path}:{number}"
            yield Row(text(data, "id", where), data, where, path.parent)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=text(row.data, "question", row.where),
        answer=str(field(row.data, "count", int, row.where)),
        answer_type=AnswerType.INTEGER,
        images=(image_path(row, text(row.data, "image", row.where)),),
        where=row.where,
    )


def grade(sample: Sample, rollout: Rollout) -> Grade:
    """Right within a tenth; an answer with no number, or with several, is wrong."""
    if rollout.finish_reason != "stop" or not (rollout.answer or "").strip():
        return grading.grade(sample, rollout)
    gold, said = int(sample.answer), _NUMBER.findall(rollout.answer or "")
    given = _value(said[0]) if len(said) == 1 else None
    return Grade(
        rollout_id=rollout.id,
        correct=given is not None and abs(given - gold) <= gold // 10,
        method="number",
        reason=None if given is not None else f"{len(said)} numbers",
    )


def _value(said: str) -> float:
    word = said.lower()
    return _WORDS.index(word) if word in _WORDS else float(word.replace(",", ""))


BENCHMARK = Benchmark(rows, prepare, grade)
