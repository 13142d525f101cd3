"""The truth judge speaks the real protocol; an API judge says what it lacks."""

from __future__ import annotations

import pytest

from tests.unit.puzzles import questions
from vlprm.config.labels import JudgeConfig
from vlprm.engines import load_judge
from vlprm.errors import UserError
from vlprm.labels.verdicts import parse_verdict
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import Sample
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_text import solution
from vlprm.steps import split

QUESTIONS, STORE = questions(5)
TRUTH = JudgeConfig(name="truth", engine="truth", prompt="judge_stepwise_v1")


def reply_to(sample: Sample, text: str) -> JudgeReply:
    steps = split(text, "blank_lines")
    return load_judge(TRUTH, STORE).judge([JudgeRequest("r", sample, steps, ())])[0]


def texts() -> list[str]:
    from tests.unit.puzzles import SPEC

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


def test_an_api_judge_names_the_variable_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    config = JudgeConfig(
        name="j", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=9,
        base_url="http://localhost:1/v1", api_key_env="NO_SUCH_KEY", concurrency=1,
    )  # fmt: skip
    with pytest.raises(UserError, match="NO_SUCH_KEY is not set"):
        load_judge(config, STORE)
