"""Statements about a matrix puzzle, right or wrong: what the mini base models are asked about.

A vision-language base model can say whether a sentence holds of a picture before it is ever
trained as a PRM. The mini base models learn that from these yes/no questions.
"""

from __future__ import annotations

import numpy as np

from vlprm.config.matrix import Attribute
from vlprm.sources.matrix import VALUES, MatrixPuzzle
from vlprm.sources.matrix_text import cell_text

_WRONG = 0.4
"""Share of wrong statements."""


def claims(puzzle: MatrixPuzzle, rng: np.random.Generator) -> list[tuple[str, bool]]:
    """One statement a row, one an attribute, one on the missing cell, each with its truth."""
    said: list[tuple[str, bool]] = []
    for row in range(3):
        cells = [puzzle.cell(row, column) for column in range(3 if row < 2 else 2)]
        right = bool(rng.random() >= _WRONG)
        if not right:
            place = int(rng.integers(len(cells)))
            cells[place] = _other_cell(cells[place], rng)
        said.append((", ".join(map(cell_text, cells)), right))
    for name in puzzle.grids:
        right = bool(rng.random() >= _WRONG)
        said.append((_reason(puzzle, name, rng, right=right), right))
    missing = puzzle.cell(2, 2)
    right = bool(rng.random() >= _WRONG)
    box = cell_text(missing if right else _other_cell(missing, rng))
    said.append((rf"\boxed{{{box}}}", right))
    return said


def _other_cell(cell: dict[Attribute, int], rng: np.random.Generator) -> dict[Attribute, int]:
    """The cell with one attribute changed."""
    names = list(cell)
    name = names[int(rng.integers(len(names)))]
    size = len(VALUES[name])
    return {**cell, name: (cell[name] + 1 + int(rng.integers(size - 1))) % size}


def _reason(puzzle: MatrixPuzzle, name: Attribute, rng: np.random.Generator, *, right: bool) -> str:
    """A reasoning step; a wrong one misstates the rule, the value or both."""
    rule, value = puzzle.rules[name], puzzle.grids[name][2][2]
    if not right:
        wrong = int(rng.integers(3))
        others = [other for other in puzzle.spec.rules if other != rule]
        if wrong != 1 and others:
            rule = others[int(rng.integers(len(others)))]
        if wrong != 0 or not others:
            value = _other_cell({name: value}, rng)[name]
    return f"{name} {rule} so {VALUES[name][value]}"
