"""Is an answer right? One comparison for each type of answer.

Words never reach symbolic maths (it reads them as products of letters: ``left = felt``), and a
comparison that could not be made is None, never wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vlprm.answers import symbolic
from vlprm.answers.extract import choice_letter
from vlprm.answers.listed import parse_list
from vlprm.answers.normal import decimals, number, plain, rounded, unwrapped
from vlprm.records import AnswerType, FinishReason, Sample

Method = Literal["choice", "number", "math", "text", "list", "judge"]

METHODS: dict[AnswerType, Method] = {
    AnswerType.CHOICE: "choice",
    AnswerType.INTEGER: "number",
    AnswerType.FLOAT: "number",
    AnswerType.TEXT: "text",
    AnswerType.LIST: "list",
    AnswerType.MATH: "math",
}


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one comparison; ``correct`` None means it could not be made."""

    correct: bool | None
    method: Method
    reason: str | None = None


def check(sample: Sample, answer: str | None, *, finish_reason: FinishReason = "stop") -> Check:
    """Compare an extracted answer with the sample's gold answer.

    A solution that was cut or failed cannot be graded (None), whatever it holds; a finished
    one without an answer is wrong.
    """
    method = METHODS[sample.answer_type]
    if finish_reason == "length":
        return Check(None, method, "cut at max_tokens")
    if finish_reason == "error":
        return Check(None, method, "generation failed")
    if answer is None or not answer.strip():
        return Check(False, method, "no answer")
    if sample.answer_type is AnswerType.CHOICE:
        return _choice(sample, answer)
    if sample.answer_type in (AnswerType.INTEGER, AnswerType.FLOAT):
        return _number(sample, answer)
    if sample.answer_type is AnswerType.LIST:
        return Check(parse_list(answer) == parse_list(sample.answer), "list")
    if sample.answer_type is AnswerType.TEXT:
        return Check(plain(answer) == plain(sample.answer), "text")
    places = sample.precision
    if places is None:  # a gold written with decimals is itself rounded to them
        places = decimals(unwrapped(sample.answer)) or None
    return math_equal(sample.answer, answer, places=places, unit=sample.unit)


def math_equal(gold: str, answer: str, *, places: int | None, unit: str | None) -> Check:
    r"""Compare formulas: as written, as numbers, as words, and only then by symbolic maths.

    Numbers are rounded to ``places`` decimals first (None: compared exactly). Quantities
    (``10 m``) and words compare as text. Percentages compare as written: ``50%`` is not
    ``0.5``.
    """
    gold_form, answer_form = symbolic.form(gold), symbolic.form(answer)
    if gold_form == answer_form:
        return Check(True, "math")
    gold_number, answer_number = number(gold, unit), number(answer, unit)
    if gold_number is not None and answer_number is not None:
        if places is not None:
            gold_number = rounded(gold_number, places)
            answer_number = rounded(answer_number, places)
        return Check(gold_number == answer_number, "number")
    if symbolic.is_wording(gold) or symbolic.is_wording(answer):
        return Check(plain(gold) == plain(answer), "text")
    equal, reason = symbolic.verify(gold_form, answer_form)
    return Check(equal, "math", reason)


def _choice(sample: Sample, answer: str) -> Check:
    letter = choice_letter(answer, sample.choices)
    if letter is None:
        return Check(False, "choice", "names no option")
    return Check(letter == sample.answer, "choice")


def _number(sample: Sample, answer: str) -> Check:
    gold, value = number(sample.answer, sample.unit), number(answer, sample.unit)
    if gold is None:
        return Check(None, "number", f"gold answer {sample.answer!r} is not a number")
    if value is None:
        return Check(False, "number", "not a number")
    if sample.answer_type is AnswerType.FLOAT:
        # without a stated precision the gold's own decimals count
        places = sample.precision
        places = decimals(unwrapped(sample.answer)) if places is None else places
        gold, value = rounded(gold, places), rounded(value, places)
    return Check(gold == value, "number")
