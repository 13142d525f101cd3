"""Words of a matrix puzzle: question, model solution, and which step of a solution is wrong.

Solutions follow the layout ``blank_lines``: three perception steps (one per row), one reasoning
step an attribute, the boxed answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from vlprm.answers.marks import last_box
from vlprm.config.matrix import Attribute, Rule
from vlprm.records import Section, Step, letter
from vlprm.sources.matrix import ORDER, VALUES, MatrixPuzzle, predict


def cell_text(cell: Mapping[Attribute, int]) -> str:
    """``two red circle``: the named attributes in a fixed order."""
    words = [VALUES[name][cell[name]] for name in ORDER if name in cell]
    return " ".join(words)


def question(puzzle: MatrixPuzzle) -> str:
    """What the policy is asked, besides the image."""
    if puzzle.options:
        return "Which of the answers A to H is the missing one?"
    return "Which one is missing?"


def answer(puzzle: MatrixPuzzle) -> str:
    """The gold answer: the missing cell in words, or its letter with a panel."""
    right = puzzle.cell(2, 2)
    if puzzle.options:
        return letter(puzzle.options.index(right))
    return cell_text(right)


def solution(puzzle: MatrixPuzzle) -> str:
    """The model solution that mini policies learn from."""
    rows = [
        ", ".join(cell_text(puzzle.cell(row, column)) for column in range(3 if row < 2 else 2))
        for row in range(3)
    ]
    reasons = [
        f"{name} {puzzle.rules[name]} so {VALUES[name][grid[2][2]]}"
        for name, grid in puzzle.grids.items()
    ]
    pieces = [f"[Perception]\n{rows[0]}", *rows[1:], f"[Reasoning]\n{reasons[0]}", *reasons[1:]]
    return "\n\n".join([*pieces, rf"\boxed{{{answer(puzzle)}}}"])


def explanation(puzzle: MatrixPuzzle) -> str:
    """The whole truth of a puzzle as JSON (``Sample.explanation``)."""
    truth = {
        "grids": {name: [list(row) for row in grid] for name, grid in puzzle.grids.items()},
        "rules": puzzle.rules,
        "answer": answer(puzzle),
    }
    return json.dumps(truth, sort_keys=True)


def first_error(truth: str, steps: Sequence[Step]) -> int | None:
    """Index of the first wrong step against the truth, None when every step is right.

    A perception step is wrong when it misstates a cell of its row; a reasoning step when its
    rule does not hold on the true cells or its value is not the true one; the solution when it
    is not the true answer. A step that says nothing recognisable, or comes out of turn, is wrong.
    """
    known = json.loads(truth)
    grids: dict[Attribute, list[list[int]]] = {
        n: known["grids"][n] for n in ORDER if n in known["grids"]
    }
    expected = [*_rows(grids), *[None] * len(grids), known["answer"]]
    names = list(grids)
    for place, step in enumerate(steps):
        if place >= len(expected):
            return step.index
        if place < 3:
            right = step.section is Section.PERCEPTION and step.text == expected[place]
        elif place < 3 + len(names):
            right = step.section is Section.REASONING and _reason_holds(
                step.text, names[place - 3], grids
            )
        else:
            right = last_box(step.text) == expected[place]
        if not right:
            return step.index
    return None if len(steps) == len(expected) else len(steps) - 1


def _rows(grids: Mapping[Attribute, Sequence[Sequence[int]]]) -> list[str]:
    return [
        ", ".join(
            cell_text({name: grid[row][column] for name, grid in grids.items()})
            for column in range(3 if row < 2 else 2)
        )
        for row in range(3)
    ]


def _reason_holds(
    text: str, name: Attribute, grids: Mapping[Attribute, Sequence[Sequence[int]]]
) -> bool:
    words = text.split()
    if len(words) != 4 or words[0] != name or words[2] != "so":
        return False
    rules: dict[str, Rule] = {
        "constant": "constant",
        "progression": "progression",
        "arithmetic": "arithmetic",
        "distribute-three": "distribute-three",
    }
    rule = rules.get(words[1])
    if rule is None:
        return False
    grid = grids[name]
    value = predict(rule, grid, len(VALUES[name]))
    return value == grid[2][2] and words[3] == VALUES[name][grid[2][2]]
