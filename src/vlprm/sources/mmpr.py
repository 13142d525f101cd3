"""The six training corpora of the paper, as rows of MMPR-style JSON lines.

AI2D, CLEVR-Math, DVQA, InfoVQA and VQAv2 rows hold ``image``, ``question``, ``answer`` and, once
sampled, ``uid`` and ``image_path``; RAVEN rows hold ``id``, ``combined_image_path``,
``correct_answer`` and ``subset_split`` (specification, sections 1.1 and 1.3).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vlprm.drafts import SampleDraft
from vlprm.errors import UserError
from vlprm.records import AnswerType
from vlprm.rows import files, read_jsonl
from vlprm.sources.unusable import Unusable

PANEL = ("A", "B", "C", "D", "E", "F", "G", "H")
RAVEN_QUESTION = (
    "The image shows a three by three matrix of panels whose last panel is missing, and below it "
    "eight candidates labelled A to H. Which candidate completes the matrix?"
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where a corpus keeps things, and what its answers are."""

    answer_type: AnswerType
    key: str = "uid"
    answer: str = "answer"
    images: tuple[str, ...] = ("image", "image_path")
    """Fields that name the image; the first that leads to a file is taken."""
    subset: str | None = None
    question: str | None = None
    """The question, where rows have none of their own."""


CORPORA = {
    "ai2d": Corpus(AnswerType.TEXT),
    "clevr": Corpus(AnswerType.INTEGER),
    "dvqa": Corpus(AnswerType.INTEGER),
    "infovqa": Corpus(AnswerType.TEXT),
    "raven": Corpus(
        AnswerType.CHOICE,
        key="id",
        answer="correct_answer",
        images=("combined_image_path",),
        subset="subset_split",
        question=RAVEN_QUESTION,
    ),
    "vqav2": Corpus(AnswerType.INTEGER),
}


def questions(kind: str, dataset: str, root: Path) -> Iterator[SampleDraft | Unusable]:
    """Every row of a corpus file (or of the JSON-lines files of a folder), in order.

    A row with a missing field, an answer that is no option, a repeated id or no image on disk
    comes back as ``Unusable``. Raises UserError for a missing file or a malformed line.
    """
    corpus = CORPORA[kind]
    seen: dict[str, str] = {}
    for path in files(root, "*.jsonl"):
        for line, row in read_jsonl(path):
            where = f"{path}:{line}"
            try:
                item = _draft(corpus, dataset, row, path.parent, where)
            except _UnusableError as error:
                yield Unusable(where, str(error))
                continue
            if item.id in seen:
                yield Unusable(where, f"id {item.id!r} appeared before, at {seen[item.id]}")
                continue
            seen[item.id] = where
            yield item


def drafts(
    kind: str, dataset: str, root: Path, *, first: int | None, start: int, stop: int
) -> Iterator[SampleDraft]:
    """Drafts ``start`` to ``stop - 1``; ``first`` keeps only that many rows of each subset.

    Raises UserError at the first unusable row of that range.
    """
    kept, position = Counter[str | None](), 0
    for item in questions(kind, dataset, root):
        if position >= stop:
            return
        if isinstance(item, Unusable):
            if position >= start:
                raise UserError(item.reason, where=item.where, cure="correct or remove the row")
            position += 1
            continue
        kept[item.subset] += 1
        if first is not None and kept[item.subset] > first:
            continue
        if position >= start:
            yield item
        position += 1


def answer_type_of(corpus: Corpus, answer: str) -> AnswerType:
    """A corpus of integers also holds codes: ``007`` and ``AH129`` compare as text (the
    published checker compares digits as strings for that reason)."""
    if corpus.answer_type is not AnswerType.INTEGER:
        return corpus.answer_type
    plain = re.fullmatch(r"-?(?:0|[1-9][0-9]*)", answer)
    return AnswerType.INTEGER if plain else AnswerType.TEXT


class _UnusableError(ValueError):
    pass


def _draft(
    corpus: Corpus, dataset: str, row: Mapping[str, Any], folder: Path, where: str
) -> SampleDraft:
    answer = _text(row, corpus.answer)
    if corpus.answer_type is AnswerType.CHOICE and answer not in PANEL:
        raise _UnusableError(f"answer {answer!r} is not a letter from A to H")
    question = corpus.question or _text(row, "question")
    return SampleDraft(
        id=f"{dataset}/{_key(corpus, row, question)}",
        question=question,
        answer=answer,
        answer_type=answer_type_of(corpus, answer),
        images=(_image(corpus, row, folder),),
        choices=PANEL if corpus.answer_type is AnswerType.CHOICE else (),
        subset=_text(row, corpus.subset) if corpus.subset else None,
        where=where,
    )


def _key(corpus: Corpus, row: Mapping[str, Any], question: str) -> str:
    """The row's own id; for rows not yet sampled one made of image and question."""
    value = row.get(corpus.key)
    if isinstance(value, str | int) and str(value).strip():
        return str(value).strip()
    named = "\x1f".join([*(str(row.get(name)) for name in corpus.images), question])
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise _UnusableError(f"no {name!r}")
    return value.strip()


def _image(corpus: Corpus, row: Mapping[str, Any], folder: Path) -> Path:
    """The image on this machine: rows carry paths of the machine they were made on."""
    names = [row[name] for name in corpus.images if isinstance(row.get(name), str) and row[name]]
    if not names:
        raise _UnusableError(f"no {' or '.join(map(repr, corpus.images))}")
    base = folder.resolve()
    for name in names:
        if "\0" in name:
            continue
        file = PurePosixPath(name).name
        for path in (folder / name, folder / "images" / file, folder / file):
            inside = path.resolve().is_relative_to(base) or PurePosixPath(name).is_absolute()
            if inside and path.is_file():
                return path
    raise _UnusableError(f"no image {PurePosixPath(names[0]).name!r} beside the rows")
