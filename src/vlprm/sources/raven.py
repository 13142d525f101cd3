"""RAVEN: each puzzle as one image with its eight lettered candidates.

Source: the Hub's data set HuggingFaceM4/RAVEN, ``<configuration>/{train,validation}-*.parquet``, at
6241dc4d84572609bd6e132cf93ca8d4cb66369d; or JSON lines whose images are drawn already. The test
split is left out, as it was upstream (specification, section 1.3). Row, Parquet: ``panels`` (list
of 8 images), ``choices`` (list of 8 images), ``target`` (0 to 7), ``id``, ``structure``,
``meta_*``, ``metadata``. Row, JSON lines: ``id, combined_image_path, correct_answer,
subset_split``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vlprm.errors import UserError
from vlprm.importing import files, read_parquet
from vlprm.importing.draft import SampleDraft
from vlprm.records import AnswerType, letter
from vlprm.sources import mmpr
from vlprm.sources.raven_panels import Composite
from vlprm.sources.source import Source
from vlprm.sources.unusable import Unusable

QUESTION = (
    "The image shows a three by three matrix of panels whose last panel is missing, and below it "
    "eight candidates labelled A to H. Which candidate completes the matrix?"
)
SPLITS = ("train", "validation")
_DRAWN = mmpr.Corpus(
    AnswerType.CHOICE,
    key="id",
    answer="correct_answer",
    images=("combined_image_path",),
    subset="subset_split",
    question=QUESTION,
)


def _questions(dataset: str, root: Path) -> Iterator[SampleDraft | Unusable]:
    """Every row under ``root`` in order: by configuration, by split, by file, by row."""
    patterns = ("*.jsonl", "*/*-*-of-*.parquet", "*-*-of-*.parquet")
    found = files(root, *patterns)
    if found[0].suffix != ".parquet":
        yield from mmpr.questions(_DRAWN, dataset, root)
        return
    seen: dict[str, str] = {}
    for path in found:
        split = path.name.partition("-")[0]
        if split not in SPLITS and path != root:
            continue
        for number, row in read_parquet(path):
            where = f"{path}:{number}"
            try:
                item = _draft(dataset, (path.parent.name, split), row, where)
            except UserError as error:
                yield Unusable(where, error.what)
                continue
            if item.id in seen:
                yield Unusable(where, f"id {item.id!r:.80} appeared before, at {seen[item.id]}")
                continue
            seen[item.id] = where
            yield item


def _draft(dataset: str, part: tuple[str, str], row: Mapping[str, Any], where: str) -> SampleDraft:
    """The draft of one row. ``part``: configuration and split; ids count within them."""
    number, target = row.get("id"), row.get("target")
    if not isinstance(number, int) or isinstance(number, bool):
        raise UserError("no 'id'", where=where)
    if not isinstance(target, int) or not 0 <= target < len(mmpr.PANEL):
        raise UserError(f"target {target!r:.40} is not a number from 0 to 7", where=where)
    return SampleDraft(
        id=f"{dataset}/{part[0]}-{part[1]}-{number}",
        question=QUESTION,
        answer=letter(target),
        answer_type=AnswerType.CHOICE,
        images=(Composite(_eight(row, "panels", where), _eight(row, "choices", where), where),),
        choices=mmpr.PANEL,
        subset=part[0],
        where=where,
    )


def _eight(row: Mapping[str, Any], column: str, where: str) -> tuple[bytes, ...]:
    cells = row.get(column)
    if not isinstance(cells, list) or len(cells) != len(mmpr.PANEL):
        raise UserError(f"{column!r} is not a list of 8 images", where=where)
    found = [cell.get("bytes") if isinstance(cell, Mapping) else cell for cell in cells]
    encoded = tuple(item for item in found if isinstance(item, bytes))
    if len(encoded) < len(found):
        raise UserError(f"an image of {column!r} has no bytes", where=where)
    return encoded


SOURCE = Source(_questions, partial(mmpr.answer_type, _DRAWN))
