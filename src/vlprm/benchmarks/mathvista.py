"""MathVista testmini: 1,000 mathematical questions on charts, figures and photographs.

Source: the Hub's data set AI4Math/MathVista, ``data/testmini-*.parquet``.
Row: ``pid, question, decoded_image {bytes, path}, choices, unit, precision, answer,
question_type (multi_choice | free_form), answer_type (text | integer | float | list),
metadata {task, source, ...}``. Rows in the layout of evaluation toolkits are read as well
(``image`` as base64, the answer of a choice question already a letter, ``task`` not nested).
Official scorer: https://github.com/lupantech/MathVista (``evaluation/calculate_score.py``).
Known deviations: the answer is read by rule, not by a language model; integers are not truncated
(officially 3.7 is right where 3 is gold); floats are rounded half away from zero in exact
arithmetic to the row's ``precision`` (officially a binary float is rounded to even); lists are
compared item by item, not as text; an answer that names no option is wrong (officially the
option with the smallest edit distance is taken).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from vlprm.benchmarks.benchmark import Benchmark, Row
from vlprm.benchmarks.cells import options, picture
from vlprm.benchmarks.grading import grade
from vlprm.errors import UserError
from vlprm.importing import field, files, optional, read_jsonl, read_parquet, text
from vlprm.importing.draft import ImageSource, SampleDraft
from vlprm.records import AnswerType, letter

MOST_DECIMALS = 15
"""Decimals that a binary float can tell apart."""
_TYPES = {
    "integer": AnswerType.INTEGER,
    "float": AnswerType.FLOAT,
    "list": AnswerType.LIST,
    "text": AnswerType.TEXT,
}


def rows(root: Path) -> Iterator[Row]:
    """Rows of the Parquet files (or JSON lines) under ``root``, keyed by their problem id."""
    patterns = ("data/testmini*.parquet", "testmini*.parquet", "*.parquet", "*.jsonl")
    for path in files(root, *patterns):
        read = read_parquet if path.suffix == ".parquet" else read_jsonl
        for number, data in read(path):
            where = f"{path}:{number}"
            name = "id" if data.get("pid") is None and "id" in data else "pid"
            yield Row(text(data, name, where), data, where, path.parent)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    data, where = row.data, row.where
    choices = options(data.get("choices"), where)
    answer = text(data, "answer", where)
    named = field(data, "answer_type", str, where)
    if data.get("question_type") == "multi_choice":
        kind, answer = AnswerType.CHOICE, _letter(answer, choices, where)
    elif named in _TYPES:
        kind, choices = _TYPES[named], ()
    else:
        raise UserError(f"unknown answer_type {named!r:.40}", where=where, cure="correct the row")
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=text(data, "question", where),
        answer=answer,
        answer_type=kind,
        images=(_image(row),),
        choices=choices,
        precision=_precision(data.get("precision"), where) if kind is AnswerType.FLOAT else None,
        unit=optional(data, "unit", where) or None,
        subset=optional(_metadata(data, where), "task", where) or None,
        where=where,
    )


def _letter(answer: str, choices: tuple[str, ...], where: str) -> str:
    """The option's letter. An option's text takes precedence over a letter."""
    if answer in choices:
        return letter(choices.index(answer))
    if answer in [letter(i) for i in range(len(choices))]:
        return answer
    raise UserError(
        f"answer {answer!r:.80} is not among the choices {list(choices)}",
        where=where,
        cure="make the answer one of the choices, word for word",
    )


def _precision(value: Any, where: str) -> int | None:
    """Decimals that count, stored as a number or as text; null or empty for none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        found = Decimal(value.strip() if isinstance(value, str) else value)
        if not isinstance(value, bool) and found in range(MOST_DECIMALS + 1):
            return int(found)
    except (ArithmeticError, TypeError, ValueError):
        pass
    raise UserError(
        f"field 'precision' is {value!r:.40}; expected a whole number from 0 to {MOST_DECIMALS}",
        where=where,
        cure="correct the row",
    )


def _metadata(data: dict[str, Any], where: str) -> dict[str, Any]:
    """What the published rows nest and those of toolkits do not."""
    return field(data, "metadata", dict, where) if data.get("metadata") is not None else data


def _image(row: Row) -> ImageSource:
    found = picture(row.data.get("decoded_image"), row) or picture(row.data.get("image"), row)
    if found is None:
        raise UserError("the row has no image", where=row.where, cure="fetch the data set again")
    return found


BENCHMARK = Benchmark(rows, prepare, grade)
