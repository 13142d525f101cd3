"""Is an answer right? One comparison for each type of answer.

Words never reach symbolic maths (it reads them as products of letters: ``left = felt``), and a
comparison that could not be made is None, never wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vlprm.answers import symbolic
from vlprm.answers.listed import parse_list
from vlprm.answers.notation import form, plain
from vlprm.answers.options import choice_letter, letters_of
from vlprm.answers.units import agree
from vlprm.answers.value import Value, decimals, read, same, same_rounded, with_letters
from vlprm.records import AnswerType, FinishReason, Sample

Method = Literal["choice", "number", "math", "text", "list", "judge"]

CUT = "cut at max_tokens"
"""Reason for a solution that did not reach its end: no machine error, but no answer either."""

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

    A solution that was cut or failed cannot be graded (None), whatever it holds. The tables decide
    what a cut one counts as (``metrics.unfinished``). A finished one without an answer is wrong.
    """
    method = METHODS[sample.answer_type]
    if finish_reason == "length":
        return Check(None, method, CUT)
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
        return Check(_same_text(sample.answer, answer), "text")
    return math_equal(sample.answer, answer, places=sample.precision, unit=sample.unit)


def math_equal(gold: str, answer: str, *, places: int | None, unit: str | None) -> Check:
    r"""Compare formulas: as written, as values, as words, and only then by symbolic maths.

    Where either number is written with a decimal point, both are rounded to ``places`` decimals,
    or to the gold answer's own. A unit counts where the gold answer has one: ``12 cm`` equals
    ``12``, ``10 m`` equals neither ``10 cm`` nor ``10``. Percentages compare as written: ``50%`` is
    not ``0.5``.
    """
    gold_form, answer_form = form(gold), form(answer)
    if gold_form == answer_form:
        return Check(True, "math")
    right, given = read(gold, unit, formula=True), read(answer, unit, formula=True)
    if right is not None and given is not None:
        equal = _same_value(gold, right, given, places)
        if equal is not None:
            return Check(equal and agree(right.unit, given.unit), "number")
    if right is not None and given is None and with_letters(answer):
        # Math-Verify takes some letters for units, and folded "10 M" would be "10 m"
        return Check(False, "math")
    if symbolic.is_wording(gold) or symbolic.is_wording(answer):
        return Check(plain(gold) == plain(answer), "text")
    if symbolic.passes_over(gold_form, answer_form, number=right is not None):
        return Check(False, "math")
    equal, reason = symbolic.verify(gold_form, answer_form)
    return Check(equal, "math", reason)


def _same_value(gold: str, right: Value, given: Value, places: int | None) -> bool | None:
    """None where a decimal is compared with a root: symbolic maths has to judge that."""
    if not (right.decimal or given.decimal):
        return same(right, given)
    return _to_places(gold, right, given, places) if right.exact and given.exact else None


def _to_places(gold: str, right: Value, given: Value, places: int | None) -> bool | None:
    """Equal to ``places`` decimals. Where none are stated and one is a decimal, the gold's count.

    A whole number is exact.
    """
    if places is None and (right.decimal or given.decimal):
        places = decimals(gold) or None
    return same(right, given) if places is None else same_rounded(right, given, places)


def _choice(sample: Sample, answer: str) -> Check:
    named = choice_letter(answer, sample.choices)
    if named is None:
        return Check(False, "choice", "names no option")
    texts = dict(zip(letters_of(sample.choices), map(plain, sample.choices), strict=True))
    # equal options (they occur) are equally right
    return Check(named == sample.answer or texts[named] == texts[sample.answer], "choice")


def _number(sample: Sample, answer: str) -> Check:
    gold, given = read(sample.answer, sample.unit), read(answer, sample.unit)
    if gold is None:
        return Check(None, "number", f"gold answer {sample.answer!r} is not a number")
    if given is None:
        return Check(False, "number", "not a number")
    if not (sample.unit or agree(gold.unit, given.unit)):
        return Check(False, "number", "another unit")
    if sample.answer_type is AnswerType.INTEGER:
        return Check(same(gold, given) is True, "number")
    equal = _to_places(sample.answer, gold, given, sample.precision)
    return Check(equal is True, "number")


def _same_text(gold: str, answer: str) -> bool:
    """Equal words, or the same number with the same unit (``12cm``, ``12 cm``)."""
    if plain(gold) == plain(answer):
        return True
    if plain(gold)[:1].isalpha() or plain(answer)[:1].isalpha():
        return False  # "two circles" and "2 circles" are different words
    right, given = read(gold), read(answer)
    if right is None or given is None or not right.unit or right.unit != given.unit:
        return False
    return same(right, given) is True
