"""MathVista testmini: 1,000 mathematical questions on charts, figures and photographs.

Source: the Hub's data set AI4Math/MathVista, ``data/testmini-*.parquet``.
Row: ``pid, question, decoded_image {bytes, path}, choices, unit, precision, answer,
question_type (multi_choice | free_form), answer_type (text | integer | float | list),
metadata {task, source, ...}``. Rows in the layout of evaluation toolkits are read as well
(``image`` as base64, the answer of a choice question already a letter, ``task`` not nested).
Official scorer: https://github.com/lupantech/MathVista (``evaluation/calculate_score.py``).
Known deviations: the answer is read by rule, not by a language model; integers are not cut off
(officially 3.7 is right where 3 is gold); floats are rounded half away from zero in exact
arithmetic to the row's ``precision`` (officially a binary float is rounded to even); lists are
compared item by item, not as text; an answer that names no option is wrong (officially the
option with the smallest edit distance is taken).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlprm.benchmarks.benchmark import Benchmark, Row, image_path, letter
from vlprm.benchmarks.grading import grade_read as grade
from vlprm.drafts import ImageSource, SampleDraft
from vlprm.errors import UserError
from vlprm.records import AnswerType
from vlprm.rows import field, files, read_jsonl, read_parquet

SCORER_VERSION = 1
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
            key = data.get("pid", data.get("id"))
            if key is None:
                raise UserError("no field 'pid'", where=where, cure="correct the row")
            yield Row(str(key), data, where, path.parent)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    data, where = row.data, row.where
    choices = tuple(str(item) for item in data.get("choices") or ())
    answer = field(data, "answer", str, where)
    named = field(data, "answer_type", str, where)
    if data.get("question_type") == "multi_choice":
        kind, answer = AnswerType.CHOICE, _letter(answer, choices, where)
    elif named in _TYPES:
        kind, choices = _TYPES[named], ()
    else:
        raise UserError(f"unknown answer_type {named!r}", where=where, cure="correct the row")
    metadata = data.get("metadata") or data
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=field(data, "question", str, where),
        answer=answer,
        answer_type=kind,
        images=(_image(row),),
        choices=choices,
        precision=_precision(data.get("precision")) if kind is AnswerType.FLOAT else None,
        unit=data.get("unit") or None,
        subset=metadata.get("task") or None,
        where=where,
    )


def _letter(answer: str, choices: tuple[str, ...], where: str) -> str:
    """The option's letter; its text decides before a letter that is already one."""
    if answer in choices:
        return letter(choices.index(answer))
    if answer in [letter(i) for i in range(len(choices))]:
        return answer
    raise UserError(
        f"answer {answer!r} is not among the choices {list(choices)}",
        where=where,
        cure="make the answer one of the choices, word for word",
    )


def _precision(value: Any) -> int | None:
    """Stored as a float with NaN for none."""
    return None if value is None or math.isnan(float(value)) else int(value)


def _image(row: Row) -> ImageSource:
    decoded, image = row.data.get("decoded_image"), row.data.get("image")
    if isinstance(decoded, dict) and decoded.get("bytes"):
        return bytes(decoded["bytes"])
    if not isinstance(image, str) or not image:
        raise UserError("the row has no image", where=row.where, cure="fetch the data set again")
    if len(image) < 256 and "." in image:
        return image_path(row, image)
    return decoded_image(image, row.where)


def decoded_image(text: str, where: str) -> bytes:
    """The bytes of a base64 cell.

    Raises UserError when it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError(
            f"image is not base64 ({error})", where=where, cure="fetch the data set again"
        ) from error


BENCHMARK = Benchmark("mathvista", SCORER_VERSION, rows, prepare, grade)
