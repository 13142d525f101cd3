"""What PuzzleVQA and AlgoPuzzleVQA share: one JSON-lines file per puzzle type, images beside it.

``{"image": "images/<type>/<type>_0000.png", "question": ..., "options": [...], "answer": ...}``;
the answer is the text of one of two to four options. Answers and options are strings or integers,
not always of the same type, and are compared as strings. Suffixes of image files are not reliable
(some ``.jpg`` files hold PNG data).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vlprm.benchmarks.benchmark import Row
from vlprm.benchmarks.cells import image_path, options
from vlprm.errors import UserError
from vlprm.importing import files, read_jsonl, text
from vlprm.importing.draft import SampleDraft
from vlprm.records import AnswerType, letter

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
    choices = options(row.data.get("options"), row.where)
    if len(choices) not in OPTIONS:
        raise UserError(
            f"{len(choices)} options, expected {OPTIONS.start} to {OPTIONS.stop - 1}",
            where=row.where,
            cure="correct the row",
        )
    answer = text(row.data, "answer", row.where)
    if choices.count(answer) != 1:
        times = "not" if answer not in choices else "more than once"
        raise UserError(
            f"answer {answer!r} is {times} among the options {list(choices)}",
            where=row.where,
            cure="make the answer one of the options, word for word",
        )
    return SampleDraft(
        id=f"{dataset}/{row.key}",
        question=question,
        answer=letter(choices.index(answer)),
        answer_type=AnswerType.CHOICE,
        images=(image_path(row, text(row.data, "image", row.where)),),
        choices=choices,
        subset=row.key.rsplit("/", 1)[0],
        explanation=explanation,
        where=row.where,
    )
