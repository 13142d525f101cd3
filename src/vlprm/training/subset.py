"""Part of the training conversations: those of so many questions, for a curve over the size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from vlprm.records import PRMExample
from vlprm.seeds import seed_for


class Subset(Sequence[PRMExample]):
    """The rows at ``places`` of a sequence, decoded when asked for."""

    def __init__(self, rows: Sequence[PRMExample], places: Sequence[int]) -> None:
        self._rows, self._places = rows, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> PRMExample: ...
    @overload
    def __getitem__(self, index: slice) -> list[PRMExample]: ...
    def __getitem__(self, index: int | slice) -> PRMExample | list[PRMExample]:
        if isinstance(index, slice):
            return [self._rows[place] for place in self._places[index]]
        return self._rows[self._places[index]]


def of_questions(owners: Sequence[str], most: int, seed: int) -> list[int]:
    """Places of the rows of ``most`` questions, in order; ``owners``: the question of each row.

    Each question has a seed of its own, and those with the smallest stay: a smaller choice lies
    within a larger one, whatever the order of the rows. Questions without a row are not counted.
    """
    ranked = sorted(set(owners), key=lambda name: seed_for(seed, "questions", name))
    kept = set(ranked[:most])
    return [place for place, name in enumerate(owners) if name in kept]
