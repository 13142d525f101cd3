"""What PuzzleVQA and AlgoPuzzleVQA share: one JSON-lines file a puzzle type, images beside.

``{"image": "images/<type>/<type>_0000.png", "question": ..., "options": [...], "answer": ...}``;
the answer is the text of one of two to four options. Answers and options are strings or
integers, not always the same of both, and are compared as strings. File suffixes of images
are not reliable (some ``.jpg`` hold PNG data).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vlprm.benchmarks.benchmark import Row, image_path, letter
from vlprm.drafts import SampleDraft
from vlprm.errors import UserError
from vlprm.records import AnswerType
from vlprm.rows import field, files, read_jsonl

OPTIONS = range(2, 5)
"""How many options a puzzle may have."""


def rows(root: Path) -> Iterator[Row]:
    """Rows of every type, types in alphabetical order, keys ``<type>/<row from 0>``.

    ``root`` is the folder of the type files, its parent in the published layout (``data/``), or
    one type file.
    """
    for path in files(root, "*.json", "data/*.json", "*.jsonl"):
        for number, (line, data) in enumerate(read_jsonl(path)):
            yield Row(f"{path.stem}/{number}", data, f"{path}:{line}", path.parent)


def draft(row: Row, dataset: str, *, question: str, explanation: str | None) -> SampleDraft:
    """The draft of one puzzle; the answer becomes its letter."""
    options = [_text(row, item) for item in field(row.data, "options", list, row.where)]
    if len(options) not in OPTIONS:
        raise UserError(
            f"{len(options)} options, expected {OPTIONS.start} to {OPTIONS.stop - 1}",
            where=row.where,
            cure="correct the row",
        )
    answer = _text(row, row.data.get("answer"))
    if options.count(answer) != 1:
        times = "not" if answer not in options else "more than once"
        raise UserError(
            f"answer {answer!r} is {times} among the options {options}",
            where=row.where,
            cure="make the answer one of the options, word for word",
        )
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=question,
        answer=letter(options.index(answer)),
        answer_type=AnswerType.CHOICE,
        images=(image_path(row, field(row.data, "image", str, row.where)),),
        choices=tuple(options),
        subset=row.key.rsplit("/", 1)[0],
        explanation=explanation,
        where=row.where,
    )


def _text(row: Row, value: object) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise UserError(
        f"answer or option {value!r:.40} is neither text nor an integer",
        where=row.where,
        cure="correct the row",
    )
