r"""The final answer of a solution.

A leading ``<think>...</think>`` is skipped. The last balanced ``\boxed{...}`` decides. Where it
names no option (or no number, where one is asked for), a statement after it may decide. Without a
box, in this order: the last ``<correct_answer>`` or ``<answer>`` block; the last statement
(``Answer: 12``, ``the answer is (B)``) that names something. Nothing else is guessed: no last
number, no stray letter, no display formula (the published extractor returns equation fragments
there, and reads the English article "a" as option A).
"""

from __future__ import annotations

import re

from vlprm.answers.marks import after_thought, boxes, has_box
from vlprm.answers.notation import plain
from vlprm.answers.options import choice_letter, letters_of
from vlprm.answers.statement import Statement, statements
from vlprm.answers.symbolic import is_wording
from vlprm.answers.value import read
from vlprm.records import AnswerType, Sample

_BLOCK_TAG = re.compile(r"<(/?)(correct_answer|answer)>", re.IGNORECASE)
_SAID_LETTER = re.compile(
    r"^[(\[]?([A-Z])[)\]]?\s+(?:rather than|instead of"
    r"|(?:is|was|would|as|by|with|based)\b(?!-|\s+(?:\w+\s+)?(?:not|wrong|incorrect|false)\b))"
)
_SAYS_NOTHING = re.compile(
    r"(?:consistent|obtained|found|given|based|derived|not|also|as follows|clear|calculated)\b"
)


def extract_answer(text: str, sample: Sample | None = None) -> str | None:
    """The final answer as written, or None.

    With a CHOICE sample the option's letter is returned when the answer names one; an answer
    that names no option comes back as written, for the grader to call wrong.
    """
    raw = _raw(text[after_thought(text) :], sample)
    if raw is None or sample is None or sample.answer_type is not AnswerType.CHOICE:
        return raw
    return _letter(raw, sample) or raw


def _raw(text: str, sample: Sample | None) -> str | None:
    if found := boxes(text):
        content, end = found[-1]
        if content and _names(content, sample):
            return content
        later = [said.answer for said in statements(text[end:]) if _gives(said, sample)]
        if later and sample is not None:
            return later[-1]
        if content:
            return content
    block = _last_block(text)
    if block and not has_box(block):
        return block
    if has_box(text):
        return None  # boxed, but empty or cut: the text around it is no statement
    said = list(statements(text))
    giving = [item for item in said if _gives(item, sample)]
    said = giving or [item for item in said if not item.mentions] or said
    return said[-1].answer if said else None


def _last_block(text: str) -> str | None:
    """Content of the last ``<correct_answer>`` or ``<answer>`` that is closed."""
    content, opened = None, None
    for tag in _BLOCK_TAG.finditer(text):
        if not tag[1]:
            opened = tag
        elif opened is not None and opened[2].casefold() == tag[2].casefold():
            content, opened = text[opened.end() : tag.start()].strip(), None
    return content


def _gives(said: Statement, sample: Sample | None) -> bool:
    """Does a statement name what the question asks for?"""
    numeric = (AnswerType.CHOICE, AnswerType.INTEGER, AnswerType.FLOAT)
    if said.mentions and (sample is None or sample.answer_type not in numeric):
        return False
    return _names(said.answer, sample)


def _names(answer: str, sample: Sample | None) -> bool:
    """Is it the option, number, formula or word that the question asks for?"""
    kind = sample.answer_type if sample else AnswerType.TEXT
    if sample is not None and kind is AnswerType.CHOICE:
        return _letter(answer, sample) is not None
    if sample is not None and kind in (AnswerType.INTEGER, AnswerType.FLOAT):
        return read(answer, sample.unit) is not None
    if kind is AnswerType.MATH:
        return read(answer, formula=True) is not None or not is_wording(answer)
    return _SAYS_NOTHING.match(plain(answer)) is None


def _letter(answer: str, sample: Sample) -> str | None:
    letter = choice_letter(answer, sample.choices)
    if letter is None and (said := _SAID_LETTER.match(answer)):
        return said[1] if said[1] in letters_of(sample.choices) else None
    return letter
