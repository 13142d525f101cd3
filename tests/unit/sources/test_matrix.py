"""Matrix puzzles: deterministic, unambiguous, splits disjoint; texts and claims tell the truth."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.puzzles import SPEC
from vlprm.records import AnswerType
from vlprm.solutions.steps import split
from vlprm.sources import matrix_drafts
from vlprm.sources.matrix import VALUES, make_puzzle, predict
from vlprm.sources.matrix_claims import claims
from vlprm.sources.matrix_render import render
from vlprm.sources.matrix_text import explanation, first_error, solution

PAIRS = ((0, 0), (1, 1))
SEEN = SPEC.model_copy(update={"holdout": PAIRS})
UNSEEN = SEEN.model_copy(update={"split": "unseen"})


@pytest.mark.parametrize("index", range(40))
def test_the_visible_cells_determine_rule_and_answer(index: int) -> None:
    puzzle = make_puzzle(SPEC, 5, index)
    for name, grid in puzzle.grids.items():
        size = len(VALUES[name])
        fitting = {rule for rule in SPEC.rules if predict(rule, grid, size) is not None}
        assert fitting == {puzzle.rules[name]}
        assert predict(puzzle.rules[name], grid, size) == grid[2][2]


def test_the_same_seed_gives_the_same_picture() -> None:
    first, again = (np.asarray(render(make_puzzle(SPEC, 5, 3))) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.asarray(render(make_puzzle(SPEC, 6, 3))))


def test_any_resolution() -> None:
    assert render(make_puzzle(SPEC.model_copy(update={"cell": 56}), 5, 0)).size == (168, 168)


def test_held_out_pairs_are_never_seen_and_always_asked() -> None:
    for index in range(30):
        seen = make_puzzle(SEEN, 5, index)
        cells = {tuple(seen.cell(r, c).values()) for r in range(3) for c in range(3)}
        assert not cells & set(PAIRS)
        assert tuple(make_puzzle(UNSEEN, 5, index).cell(2, 2).values()) in PAIRS


def test_the_panel_holds_the_answer_once() -> None:
    spec = SPEC.model_copy(update={"panel": True})
    for draft in matrix_drafts("m", spec, 5, 0, 10):
        assert draft.answer_type is AnswerType.CHOICE
        assert len(draft.choices) == 8
    puzzle = make_puzzle(spec, 5, 0)
    assert puzzle.options.count(puzzle.cell(2, 2)) == 1


def test_claims_are_judged_as_the_truth_judges_steps() -> None:
    """A claim is right exactly when the same step, in an otherwise right solution, is right."""
    told = {True: 0, False: 0}
    for index in range(60):
        puzzle = make_puzzle(SPEC, 5, index)
        pieces = solution(puzzle).split("\n\n")
        for place, (text, right) in enumerate(claims(puzzle, np.random.default_rng(index))):
            header = pieces[place].split("\n")[0] + "\n" if pieces[place].startswith("[") else ""
            spoiled = [*pieces[:place], header + text, *pieces[place + 1 :]]
            steps = split("\n\n".join(spoiled), "blank_lines")
            assert (first_error(explanation(puzzle), steps) is None) == right
            told[right] += 1
    assert min(told.values()) > 100
