"""What the six training corpora of the paper share: rows of MMPR-style JSON lines.

AI2D, CLEVR-Math, DVQA, InfoVQA and VQAv2 rows hold ``image``, ``question``, ``answer`` and, once
sampled, ``uid`` and ``image_path``; RAVEN rows hold ``id``, ``combined_image_path``,
``correct_answer`` and ``subset_split`` (specification, sections 1.1 and 1.3).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from vlprm.errors import UserError
from vlprm.importing import files, place_of, read_jsonl, text
from vlprm.importing.draft import SampleDraft
from vlprm.records import AnswerType
from vlprm.sources.source import Source
from vlprm.sources.unusable import Unusable

PANEL = ("A", "B", "C", "D", "E", "F", "G", "H")


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


def source(corpus: Corpus) -> Source:
    """The source of a corpus."""
    return Source(partial(questions, corpus), partial(answer_type, corpus))


def questions(corpus: Corpus, dataset: str, root: Path) -> Iterator[SampleDraft | Unusable]:
    """Every row of a corpus file (or of the JSON-lines files of a folder), in order.

    A row with a missing field, an answer that is no option, a repeated id or no image on disk
    comes back as ``Unusable``. Raises UserError for a missing file or a malformed line.
    """
    seen: dict[str, str] = {}
    for path in files(root, "*.jsonl"):
        for line, row in read_jsonl(path):
            where = f"{path}:{line}"
            try:
                item = _draft(corpus, dataset, row, path.parent, where)
            except UserError as error:
                yield Unusable(where, error.what)
                continue
            if item.id in seen:
                yield Unusable(where, f"id {item.id!r:.80} appeared before, at {seen[item.id]}")
                continue
            seen[item.id] = where
            yield item


def answer_type(corpus: Corpus, answer: str) -> AnswerType:
    """A corpus of integers also holds codes: ``007`` and ``AH129`` compare as text.
    Upstream's checker compares digits as strings for that reason."""
    if corpus.answer_type is not AnswerType.INTEGER:
        return corpus.answer_type
    plain = re.fullmatch(r"-?(?:0|[1-9][0-9]*)", answer)
    return AnswerType.INTEGER if plain else AnswerType.TEXT


def _draft(
    corpus: Corpus, dataset: str, row: Mapping[str, Any], folder: Path, where: str
) -> SampleDraft:
    answer = text(row, corpus.answer, where).strip()
    if corpus.answer_type is AnswerType.CHOICE and answer not in PANEL:
        raise UserError(f"answer {answer!r:.80} is not a letter from A to H", where=where)
    question = corpus.question or text(row, "question", where).strip()
    return SampleDraft(
        id=f"{dataset}/{_key(corpus, row, question)}",
        question=question,
        answer=answer,
        answer_type=answer_type(corpus, answer),
        images=(_image(corpus, row, folder, where),),
        choices=PANEL if corpus.answer_type is AnswerType.CHOICE else (),
        subset=text(row, corpus.subset, where).strip() if corpus.subset else None,
        where=where,
    )


def _key(corpus: Corpus, row: Mapping[str, Any], question: str) -> str:
    """The row's own id; for rows not yet sampled one made of image and question."""
    value = row.get(corpus.key)
    if isinstance(value, str | int) and str(value).strip():
        return str(value).strip()
    named = "\x1f".join([*(str(row.get(name)) for name in corpus.images), question])
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _image(corpus: Corpus, row: Mapping[str, Any], folder: Path, where: str) -> Path:
    """The image on this machine: rows carry paths of the machine they were made on."""
    names = [row[name] for name in corpus.images if isinstance(row.get(name), str) and row[name]]
    if not names:
        raise UserError(f"no {' or '.join(map(repr, corpus.images))}", where=where)
    base = place_of(folder) or folder
    for name in names:
        file = PurePosixPath(name).name
        for path in (folder / name, folder / "images" / file, folder / file):
            found, absolute = place_of(path), PurePosixPath(name).is_absolute()
            if found and (found.is_relative_to(base) or absolute) and found.is_file():
                return path
    raise UserError(f"no image {PurePosixPath(names[0]).name!r:.120} beside the rows", where=where)
