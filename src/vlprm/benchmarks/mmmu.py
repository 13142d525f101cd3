"""MMMU validation: 900 questions of college exams in 30 subjects, one to seven images each.

Source: the Hub's data set MMMU/MMMU, ``<Subject>/validation-*.parquet``, or the table that
evaluation toolkits use, ``MMMU_DEV_VAL.tsv`` (rows of the split ``dev`` are passed over).
Row, Parquet: ``id, question, options (text of a list), image_1 ... image_7 {bytes, path},
answer, question_type (multiple-choice | open), ...``. Row, TSV: ``index, question, A, B, ...,
answer, image (base64, a list of such, or the index of another row), id, split, category``.
Official scorer: https://github.com/MMMU-Benchmark/MMMU at 44b45b50e925 (``eval/eval_utils.py``).
Known deviations: images precede the text in their numbered order and ``<image k>`` stays where
it is (the paper's code shows the policy the images in place, and its PRM the wrong ones when
a number repeats or comes out of order); open answers must equal a gold answer, not contain it;
an answer that names no option is wrong (officially a random option is drawn; grading switch
``unparsed: random``); open questions are not told to choose from options.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlprm.answers.equal import check
from vlprm.answers.normal import number
from vlprm.benchmarks.benchmark import Benchmark, Row, letter
from vlprm.benchmarks.grading import check_read, grade_read, graded
from vlprm.benchmarks.mathvista import decoded_image
from vlprm.drafts import SampleDraft
from vlprm.errors import UserError
from vlprm.records import AnswerType, Grade, Rollout, Sample
from vlprm.rows import field, files, read_parquet, read_tsv

SCORER_VERSION = 1
DECIMALS = 2
_REFERENCE = 64
"""Cells of at most this many characters name the row whose image is meant."""
_TAG = re.compile(r"<image (\d+)>")
_SUBJECT = re.compile(r"^(?:dev|validation|test)_(.+)_\d+$")


def rows(root: Path) -> Iterator[Row]:
    """Validation rows under ``root``, keyed by their id."""
    for path in files(root, "*/validation-*.parquet", "validation-*.parquet", "*.parquet", "*.tsv"):
        read = read_parquet if path.suffix == ".parquet" else _table
        for line, data in read(path):
            where = f"{path}:{line}"
            if data.get("split", "validation") == "validation":
                yield Row(field(data, "id", str, where), data, where, path.parent)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    data, where = row.data, row.where
    choices = _choices(row)
    answer = field(data, "answer", str, where)
    images = _images(row)
    question = field(data, "question", str, where)
    missing = [k for k in _TAG.findall(question) if not 1 <= int(k) <= len(images)]
    if missing:
        raise UserError(
            f"the question shows <image {missing[0]}> of {len(images)} images",
            where=where,
            cure="fetch the data set again",
        )
    kind, precision = AnswerType.CHOICE, None
    if not choices:
        gold = _listed(answer, where)
        numeric = all(number(item) is not None for item in gold)
        kind = AnswerType.FLOAT if numeric else AnswerType.TEXT
        precision = DECIMALS if numeric else None
        answer = gold[0] if len(gold) == 1 else json.dumps(gold, ensure_ascii=False)
    elif answer not in [letter(i) for i in range(len(choices))]:
        raise UserError(
            f"answer {answer!r} is none of the {len(choices)} options' letters",
            where=where,
            cure="correct the row",
        )
    subject = _SUBJECT.match(row.key)
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=question,
        answer=answer,
        answer_type=kind,
        images=images,
        choices=choices,
        precision=precision,
        subset=subject[1] if subject else data.get("category"),
        explanation=data.get("explanation") or None,
        where=where,
    )


def grade(sample: Sample, rollout: Rollout) -> Grade:
    """Grade one rollout; any of several gold answers of an open question will do."""
    if sample.answer_type is AnswerType.CHOICE or not sample.answer.startswith('["'):
        return grade_read(sample, rollout)
    outcome = check(sample, rollout.answer, finish_reason=rollout.finish_reason)
    for gold in json.loads(sample.answer):
        outcome = check_read(sample.model_copy(update={"answer": gold}), rollout)
        if outcome.correct is not False:
            break
    return graded(rollout, outcome)


def _table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """TSV rows, each with its images in ``images``; references are resolved."""
    wanted = {row["image"] for _, row in read_tsv(path) if 0 < len(row["image"]) <= _REFERENCE}
    pictures: dict[str, str] = {}
    if wanted:
        pictures = {r["index"]: r["image"] for _, r in read_tsv(path) if r["index"] in wanted}
    for line, row in read_tsv(path):
        cell = row["image"]
        if 0 < len(cell) <= _REFERENCE:
            if cell not in pictures:
                raise UserError(
                    f"image of row {cell!r} is meant, but there is no such row",
                    where=f"{path}:{line}",
                    cure="fetch the data set again",
                )
            cell = pictures[cell]
        # base64 has neither commas nor quotes, so a list needs no parser
        items = cell.strip().strip("[]").split(",") if cell.startswith("[") else [cell]
        yield line, {**row, "images": [item.strip().strip("'\"") for item in items]}


def _choices(row: Row) -> tuple[str, ...]:
    if "options" in row.data:
        text = row.data["options"]
        return tuple(_listed(text, row.where)) if isinstance(text, str) else tuple(text or ())
    found: list[str] = []
    while row.data.get(letter(len(found))):
        found.append(row.data[letter(len(found))])
    return tuple(found)


def _listed(text: str, where: str) -> list[str]:
    """The items of a list written as text; anything else is one item."""
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise UserError(f"not a list: {text:.60}", where=where, cure="correct the row") from error
    return [str(item) for item in value]


def _images(row: Row) -> tuple[bytes, ...]:
    if "images" in row.data:
        found = [decoded_image(item, row.where) if item else b"" for item in row.data["images"]]
    else:
        cells = [row.data.get(f"image_{k}") for k in range(1, 8)]
        found = [bytes((cell or {}).get("bytes") or b"") for cell in cells]
        while found and not found[-1]:
            found.pop()
    if not found or not all(found):
        raise UserError(
            "the row has no image, or leaves one out",
            where=row.where,
            cure="fetch the data set again",
        )
    return tuple(found)


BENCHMARK = Benchmark("mmmu", SCORER_VERSION, rows, prepare, grade)
