"""A RAVEN-style matrix generator of our own: attributes, row rules, one missing cell.

Every puzzle is a function of specification, seed and index. The visible cells determine both
the rule of each attribute and the missing cell: a draw that leaves a choice is drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vlprm.config.matrix import Attribute, MatrixSpec, Rule
from vlprm.errors import UserError
from vlprm.seeds import seed_for

VALUES: Final[dict[Attribute, tuple[str, ...]]] = {
    "number": ("one", "two", "three", "four"),
    "size": ("tiny", "small", "medium", "large"),
    "colour": ("red", "orange", "yellow", "green", "blue", "purple"),
    "shape": ("circle", "triangle", "square", "star", "cross", "diamond"),
}
"""Values in the order that progression and arithmetic count in (they wrap around)."""
ORDER: Final[tuple[Attribute, ...]] = ("number", "size", "colour", "shape")
STEPS: Final = (1, 2)
"""Step widths of a progression."""
OPTIONS: Final = 8
_TRIES: Final = 20_000

Grid = tuple[tuple[int, ...], ...]
"""Value indices of one attribute, three rows of three."""


@dataclass(frozen=True, slots=True)
class MatrixPuzzle:
    """One puzzle; ``grids`` and ``rules`` hold the varying attributes in the order of ORDER."""

    spec: MatrixSpec
    seed: int
    index: int
    grids: dict[Attribute, Grid]
    rules: dict[Attribute, Rule]
    options: tuple[dict[Attribute, int], ...]
    """The answer panel (eight cells, one right); empty without a panel."""

    def cell(self, row: int, column: int) -> dict[Attribute, int]:
        """Value indices of a cell."""
        return {name: grid[row][column] for name, grid in self.grids.items()}


def make_puzzle(spec: MatrixSpec, seed: int, index: int) -> MatrixPuzzle:
    """Puzzle ``index`` of a seed.

    Raises UserError when the specification admits no unambiguous puzzle.
    """
    rng = np.random.default_rng(seed_for(seed, "matrix", spec.split, index))
    names = [name for name in ORDER if name in spec.attributes]
    for _ in range(_TRIES):
        rules = {name: spec.rules[rng.integers(len(spec.rules))] for name in names}
        grids = {name: _draw(rules[name], len(VALUES[name]), rng) for name in names}
        if not all(_settled(grids[n], rules[n], spec.rules, len(VALUES[n])) for n in names):
            continue
        if not _in_split(spec, grids):
            continue
        options = _panel(grids, rng) if spec.panel else ()
        return MatrixPuzzle(spec, seed, index, grids, rules, options)
    raise UserError(
        f"no unambiguous puzzle found in {_TRIES} draws",
        where="matrix spec",
        cure="allow more rules or fewer holdout pairs",
    )


def predict(rule: Rule, grid: Sequence[Sequence[int]], size: int) -> int | None:
    """The missing value if the rule holds on the eight visible cells, else None."""
    first, second, (a, b, *_) = grid
    full = (first, second)
    if rule == "constant":
        holds = all(len(set(row)) == 1 for row in full) and a == b
        return a if holds else None
    if rule == "progression":
        for step in STEPS:
            holds = all(
                row[1] == (row[0] + step) % size and row[2] == (row[1] + step) % size
                for row in full
            )
            if holds and b == (a + step) % size:
                return (b + step) % size
        return None
    if rule == "arithmetic":
        holds = all(row[2] == (row[0] + row[1]) % size for row in full)
        return (a + b) % size if holds else None
    values = set(first)
    holds = len(values) == 3 and set(second) == values and a != b and {a, b} <= values
    return next(iter(values - {a, b})) if holds else None


def _draw(rule: Rule, size: int, rng: np.random.Generator) -> Grid:
    if rule == "constant":
        return tuple((int(v),) * 3 for v in rng.integers(size, size=3))
    if rule == "progression":
        step = STEPS[rng.integers(len(STEPS))]
        return tuple(
            tuple((int(v) + step * k) % size for k in range(3)) for v in rng.integers(size, size=3)
        )
    if rule == "arithmetic":
        pairs = rng.integers(size, size=(3, 2)).tolist()
        return tuple((a, b, (a + b) % size) for a, b in pairs)
    values = rng.permutation(size)[:3].tolist()
    shift = 1 + int(rng.integers(2))
    return tuple(tuple(values[(k + shift * row) % 3] for k in range(3)) for row in range(3))


def _settled(grid: Grid, rule: Rule, rules: Sequence[Rule], size: int) -> bool:
    """Only the drawn rule explains the visible cells, and it gives the drawn answer."""
    explained = [name for name in rules if predict(name, grid, size) is not None]
    return explained == [rule] and predict(rule, grid, size) == grid[2][2]


def _in_split(spec: MatrixSpec, grids: dict[Attribute, Grid]) -> bool:
    if not spec.holdout:
        return True
    held = set(spec.holdout)
    colours, shapes = grids["colour"], grids["shape"]
    if spec.split == "unseen":
        return (colours[2][2], shapes[2][2]) in held
    return all((colours[r][c], shapes[r][c]) not in held for r in range(3) for c in range(3))


def _panel(
    grids: dict[Attribute, Grid], rng: np.random.Generator
) -> tuple[dict[Attribute, int], ...]:
    """The right cell and seven that differ from it in one or more attributes, shuffled."""
    right = {name: grid[2][2] for name, grid in grids.items()}
    options = [right]
    while len(options) < OPTIONS:
        other = dict(right)
        changed = rng.permutation(len(other))[: 1 + int(rng.integers(len(other)))]
        for place in changed.tolist():
            name = list(other)[place]
            other[name] = int(rng.integers(len(VALUES[name])))
        if other not in options:
            options.append(other)
    return tuple(options[place] for place in rng.permutation(OPTIONS).tolist())
