"""PuzzleVQA: 20 types of abstract visual patterns, 100 puzzles each.

Source: declare-lab/LLM-PuzzleTest (MIT), ``PuzzleVQA/data/*.json``; the paper evaluates the
first 50 rows of each type (1,000 puzzles; ``first: 50``).
Row: ``image, question, options, answer, caption, explanation, deduction``.
Official scorer: https://github.com/declare-lab/LLM-PuzzleTest (``PuzzleVQA/main.py``), which
compares the extracted option with the gold one.
Known deviations: images stay as published (the paper's code recompresses them as JPEG of
quality 75); transparent images get a white background for policy and PRM alike; a malformed row
is an error, not a skipped row; answers are compared by rule instead of by a language model.
"""

from __future__ import annotations

import json

from vlprm.benchmarks import puzzles
from vlprm.benchmarks.benchmark import Benchmark, Row
from vlprm.benchmarks.grading import grade
from vlprm.benchmarks.puzzles import rows
from vlprm.importing import text
from vlprm.importing.draft import SampleDraft

_ACCOUNT = ("caption", "explanation", "deduction")


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row; its written reasoning goes into ``explanation`` as JSON."""
    account = {name: row.data[name] for name in _ACCOUNT if name in row.data}
    return puzzles.draft(
        row,
        dataset,
        question=text(row.data, "question", row.where),
        explanation=json.dumps(account, ensure_ascii=False) if account else None,
    )


BENCHMARK = Benchmark(rows, prepare, grade)
