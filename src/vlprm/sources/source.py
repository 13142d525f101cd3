"""What every training source read from files offers: its rows as drafts, the types of answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vlprm.errors import UserError
from vlprm.importing.draft import SampleDraft
from vlprm.records import AnswerType
from vlprm.sources.unusable import Unusable

Questions = Callable[[str, Path], Iterator[SampleDraft | Unusable]]


@dataclass(frozen=True, slots=True)
class Source:
    """One source: every row under a path as a draft with an id ``<dataset>/<key>``, in order, or
    as what makes it unusable; and the type of an answer, for published rollouts."""

    questions: Questions
    answer_type_of: Callable[[str], AnswerType]

    def drafts(
        self, dataset: str, root: Path, *, first: int | None, start: int, stop: int
    ) -> Iterator[SampleDraft]:
        """Drafts ``start`` to ``stop - 1``; ``first`` keeps only that many rows of each subset.

        Raises UserError at the first unusable row of that range.
        """
        kept, position = Counter[str | None](), 0
        for item in self.questions(dataset, root):
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
