"""AlgoPuzzleVQA: 18 types of algorithmic puzzles, 100 puzzles each.

Source: declare-lab/LLM-PuzzleTest (MIT), ``AlgoPuzzleVQA/data/*.json``; the paper evaluates the
first 50 rows of each type (900 puzzles; ``first: 50``).
Row: ``image, question, options, answer, solution`` (solution: object, or the text of one).
Official scorer: https://github.com/declare-lab/LLM-PuzzleTest (``AlgoPuzzleVQA/``), which
compares the extracted option with the gold one.
Known deviations: as for PuzzleVQA. The sentence "Answer Yes or No." is removed from the question,
as in the paper's code, because the lettered options contradict it.
"""

from __future__ import annotations

import json

from vlprm.benchmarks import puzzles
from vlprm.benchmarks.benchmark import Benchmark, Row
from vlprm.benchmarks.grading import grade
from vlprm.benchmarks.puzzles import rows
from vlprm.importing import text
from vlprm.importing.draft import SampleDraft

_INSTRUCTION = "Answer Yes or No."


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row; its solution goes into ``explanation``."""
    question = text(row.data, "question", row.where)
    solution = row.data.get("solution")
    if solution is not None and not isinstance(solution, str):
        solution = json.dumps(solution, ensure_ascii=False)
    return puzzles.draft(
        row,
        dataset,
        question=question.replace(_INSTRUCTION, "").strip(),
        explanation=solution,
    )


BENCHMARK = Benchmark(rows, prepare, grade)
