r"""MathVision (MATH-V) test: 3,040 competition problems with a picture.

Source: the Hub's data set MathLLMs/MathVision, ``data/test-*.parquet``; or the official
repository's ``data/test.jsonl``, with ``images/`` beside ``data/``.
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

from vlprm.answers.value import decimals
from vlprm.benchmarks.benchmark import Benchmark, Row
from vlprm.benchmarks.cells import options, picture
from vlprm.benchmarks.grading import grade
from vlprm.errors import UserError
from vlprm.importing import files, optional, read_jsonl, read_parquet, text
from vlprm.importing.draft import ImageSource, SampleDraft
from vlprm.records import AnswerType, letter

DECIMALS = 2


def rows(root: Path) -> Iterator[Row]:
    """Rows of the Parquet files (or ``test.jsonl``) under ``root``, keyed by their id."""
    patterns = ("data/test-*.parquet", "test-*.parquet", "*.parquet", "data/test.jsonl", "*.jsonl")
    for path in files(root, *patterns):
        read = read_parquet if path.suffix == ".parquet" else read_jsonl
        folder = path.parent.parent if path.parent.name == "data" else path.parent
        for number, data in read(path):
            where = f"{path}:{number}"
            yield Row(text(data, "id", where), data, where, folder)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    data, where = row.data, row.where
    choices = options(data.get("options"), where)
    answer = text(data, "answer", where)
    if choices:
        letters = [letter(i) for i in range(len(choices))]
        if answer not in letters and answer in choices:
            answer = letters[choices.index(answer)]
        if answer not in letters:
            raise UserError(
                f"answer {answer!r:.80} is neither a letter {letters} nor one of the options",
                where=where,
                cure="correct the row",
            )
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=text(data, "question", where),
        answer=answer,
        answer_type=AnswerType.CHOICE if choices else AnswerType.MATH,
        images=(_image(row),),
        choices=choices,
        precision=None if choices else max(DECIMALS, decimals(answer)),
        subset=optional(data, "subject", where),
        explanation=optional(data, "solution", where),
        where=where,
    )


def _image(row: Row) -> ImageSource:
    found = picture(row.data.get("decoded_image"), row) or picture(row.data.get("image"), row)
    if found is None:
        raise UserError("the row has no image", where=row.where, cure="fetch the data set again")
    return found


BENCHMARK = Benchmark(rows, prepare, grade)
