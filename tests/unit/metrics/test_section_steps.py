"""Solutions seen in one section: what is known there, and what no section knows."""

from __future__ import annotations

import polars as pl
import pytest

from vlprm.metrics.section_steps import sections_of, within
from vlprm.metrics.step_f1 import Judged
from vlprm.records import BY_VERDICTS_WITHIN, Section

P, R, S = Section.PERCEPTION, Section.REASONING, Section.SOLUTION
PLUS = (0.9, 0.8, 0.7, 0.6)
NAMES = [P, P, R, R]


@pytest.mark.parametrize(
    ("first_error", "section", "expected"),
    [
        (None, P, ((0.9, 0.8), None)),
        (None, R, ((0.7, 0.6), None)),
        (0, P, ((0.9,), 0)),
        (1, P, ((0.9, 0.8), 1)),
        (1, R, None),  # nothing is known of the reasoning
        (2, P, ((0.9, 0.8), None)),  # all of the perception is right
        (2, R, ((0.7,), 0)),
        (3, R, ((0.7, 0.6), 1)),
    ],
)
def test_what_is_known(
    first_error: int | None, section: Section, expected: tuple[tuple[float, ...], int | None] | None
) -> None:
    found = within([Judged("q/p#0", PLUS, first_error)], {"q/p#0": NAMES}, section)
    if expected is None:
        assert found == []
    else:
        assert found == [Judged("q/p#0", *expected)]


def test_sections_may_alternate() -> None:
    found = within([Judged("q/p#0", PLUS, 2)], {"q/p#0": [P, R, P, R]}, P)
    assert found == [Judged("q/p#0", (0.9, 0.7), 1)]


def test_solutions_without_sections_have_none() -> None:
    judged = [Judged("q/p#0", PLUS, None)]
    assert not any(within(judged, {"q/p#0": [S] * 4}, section) for section in (P, R))


def test_sections_of_a_table() -> None:
    steps = [[{"section": "perception"}, {"section": "reasoning"}], []]
    frame = pl.DataFrame({"id": ["a", "b"], "sample_id": ["q", "q"], "steps": steps})
    assert sections_of(frame) == {"a": ["perception", "reasoning"], "b": []}


def test_names() -> None:
    assert BY_VERDICTS_WITHIN[P] == "verdicts/perception"
