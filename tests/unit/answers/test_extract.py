"""Final answers out of solution texts."""

from __future__ import annotations

import time

import pytest

from vlprm.answers.extract import extract_answer
from vlprm.answers.marks import last_box
from vlprm.answers.options import choice_letter
from vlprm.records import AnswerType, Sample


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{12}", "12"),
        (r"\boxed{1} no, \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{}", None),
        (r"\boxed{open", None),
        ("nothing here", None),
    ],
)
def test_the_last_balanced_box_decides(text: str, answer: str | None) -> None:
    assert last_box(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<correct_answer>\n7\n</correct_answer>", "7"),
        (r"<correct_answer>$\boxed{7}$</correct_answer>", "7"),
        ("It is a red star, 12 of them.", None),
        ("The answer is (B)", "(B)"),
    ],
)
def test_nothing_is_guessed_without_a_statement(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("answer", "letter"),
    [("B", "B"), ("(b)", "B"), ("B. blue", "B"), ("blue", "B"), ("green", None), ("E", None)],
)
def test_choice_letter(answer: str, letter: str | None) -> None:
    assert choice_letter(answer, ("red", "blue", "pink")) == letter


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "\\boxed{",
            "<answer>",
            "<think>",
            "The answer is ",
            "#",
            "**",
            "\\text{",
            "$",
            "{",
            "(",
            "> ",
        ),
        *("[Reasoning]\n", "\\", " ", "answer to ", "answer is answer ", "1,", "a. ", "_", "\n"),
        *("final ", "correct answer "),
    ],
)
def test_a_model_that_loops_does_not_hold_up_grading(piece: str) -> None:
    """What takes the square of the length takes hours here, not seconds."""
    question = Sample(id="q", question="?", images=(), answer="1", answer_type=AnswerType.INTEGER)
    start = time.process_time()
    for text in (piece * (200_000 // len(piece)), "Answer" + piece * (100_000 // len(piece))):
        extract_answer(text, question)
    assert time.process_time() - start < 5
