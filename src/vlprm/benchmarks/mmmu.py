"""MMMU validation: 900 questions of college exams in 30 subjects, one to seven images each.

Source: the Hub's data set MMMU/MMMU, ``<Subject>/validation-*.parquet``, or the table that
evaluation toolkits use, ``MMMU_DEV_VAL.tsv`` (rows of the split ``dev`` are skipped).
Row, Parquet: ``id, question, options (text of a list), image_1 ... image_7 {bytes, path},
answer, question_type (multiple-choice | open), ...``. Row, TSV: ``index, question, A, B, ...,
answer, image (base64, a list of such, or the index of another row), id, split, category``.
Official scorer: https://github.com/MMMU-Benchmark/MMMU at 44b45b50e925 (``eval/eval_utils.py``).
Known deviations: images precede the text in their numbered order and ``<image k>`` stays in place
(the paper's code shows the policy the images in place, and its PRM the wrong ones when a number
repeats or comes out of order); open answers must equal a gold answer, not contain it; an answer
that names no option is wrong (officially a random option is drawn; grading switch
``unparsed: random``); the prompt of an open question does not ask to choose from options.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlprm.answers.equal import check
from vlprm.answers.value import number
from vlprm.benchmarks.benchmark import Benchmark, Row
from vlprm.benchmarks.cells import options, picture, several
from vlprm.benchmarks.grading import graded
from vlprm.errors import UserError
from vlprm.importing import files, optional, read_parquet, read_tsv, text
from vlprm.importing.draft import ImageSource, SampleDraft
from vlprm.records import AnswerType, Grade, Rollout, Sample, letter

DECIMALS = 2
_REFERENCE = 64
"""A cell of at most this many characters names another row, whose image is meant."""
_COLUMNS = ("index", "image")
"""Columns of the TSV that reading needs. An error names the others that a row lacks."""
_TAG = re.compile(r"<image (\d+)>")
_SUBJECT = re.compile(r"^(?:dev|validation|test)_(.+)_\d+$")


def rows(root: Path) -> Iterator[Row]:
    """Validation rows under ``root``, keyed by their id."""
    for path in files(root, "*/validation-*.parquet", "validation-*.parquet", "*.parquet", "*.tsv"):
        read = read_parquet if path.suffix == ".parquet" else _table
        for line, data in read(path):
            where = f"{path}:{line}"
            if data.get("split", "validation") == "validation":
                yield Row(text(data, "id", where), data, where, path.parent)


def prepare(row: Row, dataset: str) -> SampleDraft:
    """The draft of one row."""
    data, where = row.data, row.where
    choices = _choices(row)
    answer = text(data, "answer", where)
    images = _images(row)
    question = text(data, "question", where)
    missing = [k for k in _TAG.findall(question) if len(k) > 3 or not 1 <= int(k) <= len(images)]
    if missing:
        raise UserError(
            f"the question shows <image {missing[0]:.20}> of {len(images)} images",
            where=where,
            cure="fetch the data set again",
        )
    kind, precision = AnswerType.CHOICE, None
    if not choices:
        gold = several(answer, where)
        numeric = all(number(item) is not None for item in gold)
        kind = AnswerType.FLOAT if numeric else AnswerType.TEXT
        precision = DECIMALS if numeric else None
        answer = gold[0] if len(gold) == 1 else json.dumps(gold, ensure_ascii=False)
    elif answer not in [letter(i) for i in range(len(choices))]:
        raise UserError(
            f"answer {answer!r:.80} is none of the {len(choices)} options' letters",
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
        subset=subject[1] if subject else optional(data, "category", where),
        explanation=optional(data, "explanation", where) or None,
        where=where,
    )


def grade(sample: Sample, rollout: Rollout) -> Grade:
    """Grade one rollout. For an open question any of its gold answers is right."""
    golds = [sample.answer]
    if sample.answer_type is not AnswerType.CHOICE and sample.answer.startswith('["'):
        golds = json.loads(sample.answer)
    for gold in golds:
        one = sample.model_copy(update={"answer": gold})
        outcome = check(one, rollout.answer, finish_reason=rollout.finish_reason)
        if outcome.correct is not False:
            break
    return graded(rollout, outcome)


def _table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """TSV rows, each with its images in ``images``; references are resolved."""
    cells = (row["image"] for _, row in read_tsv(path, *_COLUMNS))
    wanted = {cell for cell in cells if 0 < len(cell) <= _REFERENCE}
    pictures: dict[str, str] = {}
    if wanted:
        pictures = {r["index"]: r["image"] for _, r in read_tsv(path) if r["index"] in wanted}
    for line, row in read_tsv(path):
        cell = row["image"]
        if 0 < len(cell) <= _REFERENCE:
            if cell not in pictures:
                raise UserError(
                    f"image of row {cell!r:.80} is meant, but there is no such row",
                    where=f"{path}:{line}",
                    cure="fetch the data set again",
                )
            cell = pictures[cell]
        # base64 has neither commas nor quotes, so a list needs no parser
        items = cell.strip().strip("[]").split(",") if cell.startswith("[") else [cell]
        yield line, {**row, "images": [item.strip().strip("'\"") for item in items]}


def _choices(row: Row) -> tuple[str, ...]:
    if "options" in row.data:
        return options(row.data["options"], row.where)
    columns = [letter(k) for k in range(26) if letter(k) in row.data]
    return options([row.data[name] for name in columns], row.where)


def _images(row: Row) -> tuple[ImageSource, ...]:
    if "images" in row.data:
        found = [picture(item, row) for item in row.data["images"]]
    else:
        found = [picture(row.data.get(f"image_{k}"), row) for k in range(1, 8)]
        while found and not found[-1]:
            found.pop()
    images = tuple(item for item in found if item is not None)
    if not images or len(images) < len(found):
        raise UserError(
            "the row has no image, or leaves one out",
            where=row.where,
            cure="fetch the data set again",
        )
    return images


BENCHMARK = Benchmark(rows, prepare, grade)
