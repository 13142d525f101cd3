"""Training sources: generated puzzles and importers of real files, all as sample drafts.

A new source is one module, its name in ``vlprm.kinds`` and one table of cases
(``tests/cases/<name>.json``).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from vlprm import kinds
from vlprm.config.matrix import MatrixSpec
from vlprm.importing.draft import SampleDraft
from vlprm.records import AnswerType
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_render import render
from vlprm.sources.matrix_text import answer, explanation, question
from vlprm.sources.source import Source

SOURCES: Final[dict[str, Source]] = {
    name: import_module(f"{__name__}.{name}").SOURCE for name in kinds.SOURCES
}
"""Importers of real training sources by kind."""


def matrix_drafts(
    dataset: str, spec: MatrixSpec, seed: int, start: int, stop: int
) -> Iterator[SampleDraft]:
    """Puzzles ``start`` to ``stop - 1`` as drafts, ids ``<dataset>/<index>``."""
    for index in range(start, stop):
        puzzle = make_puzzle(spec, seed, index)
        letters = tuple("ABCDEFGH") if puzzle.options else ()
        yield SampleDraft(
            id=f"{dataset}/{index}",
            question=question(puzzle),
            answer=answer(puzzle),
            answer_type=AnswerType.CHOICE if letters else AnswerType.TEXT,
            images=(render(puzzle),),
            choices=letters,
            subset=" + ".join(puzzle.rules.values()),
            explanation=explanation(puzzle),
        )
