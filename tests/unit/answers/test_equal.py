"""Is an answer right? By type; what cannot be compared is None, never wrong."""

from __future__ import annotations

from typing import Any

import pytest

from vlprm.answers.equal import check
from vlprm.answers.votes import vote_keys
from vlprm.records import AnswerType, Sample


def sample(answer: str, kind: AnswerType, **more: Any) -> Sample:
    return Sample(id="q/1", question="?", images=(), answer=answer, answer_type=kind, **more)


@pytest.mark.parametrize(
    ("gold", "kind", "answer", "right"),
    [
        ("12", AnswerType.INTEGER, "12", True),
        ("1000", AnswerType.INTEGER, "1,000", True),
        ("12", AnswerType.INTEGER, "13", False),
        ("red star", AnswerType.TEXT, "Red star", True),
        ("left", AnswerType.TEXT, "felt", False),
    ],
)
def test_by_type(gold: str, kind: AnswerType, answer: str, right: bool) -> None:
    assert check(sample(gold, kind), answer).correct is right


def test_float_to_the_decimals_that_count() -> None:
    question = sample("1.2", AnswerType.FLOAT, precision=1)
    assert check(question, "1.24").correct is True
    assert check(question, "1.34").correct is False


def test_an_unfinished_solution_is_not_wrong() -> None:
    outcome = check(sample("1", AnswerType.INTEGER), None, finish_reason="length")
    assert outcome.correct is None
    assert outcome.reason


def test_equal_answers_vote_together_and_none_never_votes() -> None:
    question = sample("A", AnswerType.CHOICE, choices=("red", "blue"))
    keys = vote_keys(["A", "red", "(B)", None], question)
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] is None
