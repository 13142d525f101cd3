"""What every benchmark offers: rows of its published files, drafts, grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlprm.errors import UserError
from vlprm.importing.draft import SampleDraft
from vlprm.records import Grade, Rollout, Sample


@dataclass(frozen=True, slots=True)
class Row:
    """One row as published."""

    key: str
    """Names the row within its benchmark."""
    data: dict[str, Any]
    where: str
    """File and line (or row), for messages."""
    folder: Path
    """What image paths in the row are relative to."""


Rows = Callable[[Path], Iterator[Row]]
Prepare = Callable[[Row, str], SampleDraft]
Grader = Callable[[Sample, Rollout], Grade]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark: ``rows`` and ``prepare`` bring questions in, ``grade`` judges answers."""

    rows: Rows
    prepare: Prepare
    grade: Grader

    def drafts(
        self, dataset: str, root: Path, *, first: int | None, start: int, stop: int
    ) -> Iterator[SampleDraft]:
        """Drafts ``start`` to ``stop - 1`` of the rows under ``root``, ids ``<dataset>/<key>``.

        ``first`` keeps only that many rows of each subset (the published puzzle subsets: 50).

        Raises UserError for a row that cannot be read, a duplicate id and an empty data set.
        """
        kept, position = Counter[str | None](), 0
        seen: dict[str, str] = {}
        for row in self.rows(root):
            if position >= stop:
                return
            if row.key in seen:
                raise UserError(
                    f"id {row.key!r:.80} appeared before, at {seen[row.key]}",
                    where=row.where,
                    cure="give every question an id of its own",
                )
            seen[row.key] = row.where
            draft = self.prepare(row, dataset)
            kept[draft.subset] += 1
            if first is not None and kept[draft.subset] > first:
                continue
            if position >= start:
                yield draft
            position += 1
        if not seen:
            raise UserError("no rows", where=str(root), cure="fetch the data set again")
