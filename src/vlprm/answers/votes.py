"""Equal answers count as one vote. Gold plays no part; type, choices, precision and unit do."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from vlprm.answers.equal import math_equal
from vlprm.answers.listed import Item, parse_list
from vlprm.answers.notation import plain
from vlprm.answers.options import choice_letter
from vlprm.answers.value import read, rounded
from vlprm.records import AnswerType, Sample

_ROOT_PLACES = 30
"""Decimals that distinguish roots and pi where no precision is stated."""


def vote_keys(answers: Sequence[str | None], sample: Sample) -> list[str | None]:
    """One key per answer; answers that mean the same share it. None never votes.

    Formulas join the first earlier answer they equal, so keys depend on the order of the
    answers only where symbolic equality is not transitive.
    """
    if sample.answer_type is AnswerType.MATH:
        return _math_keys(answers, sample)
    return [None if answer is None else _key(answer, sample) for answer in answers]


def _key(answer: str, sample: Sample) -> str | None:
    if not answer.strip():
        return None
    if sample.answer_type is AnswerType.CHOICE:
        letter = choice_letter(answer, sample.choices)
        return letter or f"other: {plain(answer)}"
    if sample.answer_type in (AnswerType.INTEGER, AnswerType.FLOAT):
        value = read(answer, sample.unit)
        if value is None:
            return f"other: {plain(answer)}"
        places = sample.precision if sample.answer_type is AnswerType.FLOAT else None
        if places is None and not value.exact:
            places = _ROOT_PLACES
        return str(value.number if places is None else rounded(value.number, places))
    if sample.answer_type is AnswerType.LIST:
        return _written(parse_list(answer))
    return plain(answer)


def _written(item: Item) -> str:
    if isinstance(item, tuple):
        return "[" + ", ".join(map(_written, item)) + "]"
    return str(item) if isinstance(item, Fraction) else repr(item)


def _math_keys(answers: Sequence[str | None], sample: Sample) -> list[str | None]:
    representatives: list[str] = []
    keys: list[str | None] = []
    for answer in answers:
        if answer is None or not answer.strip():
            keys.append(None)
            continue
        for known in representatives:
            # neither is gold: a unit that only one of them has does not separate them
            if any(
                math_equal(one, other, places=sample.precision, unit=sample.unit).correct
                for one, other in ((known, answer), (answer, known))
            ):
                keys.append(known)
                break
        else:
            representatives.append(answer)
            keys.append(answer)
    return keys
