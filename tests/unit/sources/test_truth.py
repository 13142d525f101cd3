"""The judge that knows speaks the real judges' protocol."""

from __future__ import annotations

import pytest

from tests.unit.puzzles import SPEC, questions
from vlprm.labels.verdicts import parse_verdict
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import Sample
from vlprm.solutions.steps import split
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_text import solution
from vlprm.sources.truth import TruthJudge

QUESTIONS, _ = questions(5)


def reply_to(sample: Sample, text: str) -> JudgeReply:
    steps = split(text, "blank_lines")
    return next(TruthJudge().judge([JudgeRequest("r", sample, steps, ())]))[1]


def texts() -> list[str]:
    return [solution(make_puzzle(SPEC, 77, index)) for index in range(5)]


def test_model_solutions_are_right() -> None:
    for sample, text in zip(QUESTIONS, texts(), strict=True):
        steps = split(text, "blank_lines")
        verdict = parse_verdict("r", "truth", reply_to(sample, text).text, steps)
        assert (verdict.status, verdict.first_error) == ("ok", None)


@pytest.mark.parametrize("wrong", range(6))
def test_the_first_wrong_step_comes_through_the_parser(wrong: int) -> None:
    for sample, text in zip(QUESTIONS, texts(), strict=True):
        pieces = text.split("\n\n")
        pieces[wrong] = pieces[wrong].rsplit(" ", 1)[0] + " nothing"
        spoiled = "\n\n".join(pieces)
        steps = split(spoiled, "blank_lines")
        verdict = parse_verdict("r", "truth", reply_to(sample, spoiled).text, steps)
        assert verdict.first_error == wrong


def test_no_truth_is_refused_not_wrong() -> None:
    bare = QUESTIONS[0].model_copy(update={"explanation": None})
    assert reply_to(bare, texts()[0]).status == "refused"
