r"""MathVision (MATH-V) test: 3,040 competition problems with a picture.

Source: the Hub's data set MathLLMs/MathVision, ``data/test-*.parquet``; or the official
repository's ``data/test.jsonl`` with ``images/`` beside ``data/``.
Row: ``id, question, options, image, decoded_image {bytes, path}, answer, solution, level,
subject``. All pictures of a problem are one image; ``<image1>`` tags stay in the text, as in
the paper's prompts. Options that are just A to E are drawn in the picture.
Official scorer: https://github.com/mathllm/MATH-V at 1d361180b02c (``evaluation/utils.py``):
an option's letter or value; else equality as text, item by item in tuples, or as numbers
rounded to two decimals.
Known deviations: nothing is evaluated as code (the official scorer calls ``eval``); a number is
compared to two decimals, or to the gold answer's where it states more; formulas are compared
symbolically by Math-Verify instead of numerically.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vlprm.answers.normal import decimals
from vlprm.benchmarks.benchmark import Benchmark, Row, image_path, letter
from vlprm.benchmarks.grading import grade_read as grade
from vlprm.drafts import ImageSource, SampleDraft
from vlprm.errors import UserError
from vlprm.records import AnswerType
from vlprm.rows import field, files, read_jsonl, read_parquet

SCORER_VERSION = 1
DECIMALS = 2


def rows(root: Path) -> Iterator[Row]:
    """Rows of the Parquet files (or ``test.jsonl``) under ``root``, keyed by their id."""
    patterns = ("data/test-*.parquet", "test-*.parquet", "*.parquet", "data/test.jsonl", "*.jsonl")
    for path in files(root, *patterns):
        read = read_parquet if path.suffix == ".parquet" else read_jsonl
        folder = path.parent.parent if path.parent.name == "data" else path.parent
        for number, data in read(path):
            where = f"{path}:{number}"
            yield Row(field(data, "id", str, where), data, where, folder)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    data, where = row.data, row.where
    choices = tuple(str(item) for item in data.get("options") or ())
    answer = field(data, "answer", str, where)
    if choices:
        letters = [letter(i) for i in range(len(choices))]
        if answer not in letters and answer in choices:
            answer = letters[choices.index(answer)]
        if answer not in letters:
            raise UserError(
                f"answer {answer!r} is neither a letter {letters} nor one of the options",
                where=where,
                cure="correct the row",
            )
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=field(data, "question", str, where),
        answer=answer,
        answer_type=AnswerType.CHOICE if choices else AnswerType.MATH,
        images=(_image(row),),
        choices=choices,
        precision=None if choices else max(DECIMALS, decimals(answer)),
        subset=data.get("subject"),
        explanation=data.get("solution"),
        where=where,
    )


def _image(row: Row) -> ImageSource:
    decoded = row.data.get("decoded_image")
    if isinstance(decoded, dict) and decoded.get("bytes"):
        return bytes(decoded["bytes"])
    return image_path(row, field(row.data, "image", str, row.where))


BENCHMARK = Benchmark("mathvision", SCORER_VERSION, rows, prepare, grade)
