"""Final answers out of solution texts."""

from __future__ import annotations

import pytest

from vlprm.answers.extract import choice_letter, extract_answer, last_box


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
