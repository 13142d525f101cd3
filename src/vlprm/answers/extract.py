r"""The final answer of a solution.

The last balanced ``\boxed{...}`` decides. Without one, in this order: the content of the last
``<correct_answer>`` block; the last explicit statement (``Answer: 12``, ``the answer is (B)``).
Nothing else is guessed: no last number, no stray letter, no display formula (the published
extractor returns equation fragments there, and reads the English article "a" as option A).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlprm.answers.normal import plain, unwrapped
from vlprm.records import AnswerType, Sample

# \x08oxed: a JSON writer that did not escape the backslash turned \b into a backspace.
_BOX = re.compile(r"(?:\\boxed|\\fbox|\x08oxed)\s*\{")
_BLOCK = re.compile(r"<correct_answer>(.*?)</correct_answer>", re.DOTALL)
_STATED = re.compile(
    r"(?im)(?:^|[\s*#])(?:final\s+|correct\s+)*answer\s*(?:is\s*:?|:|=)[ \t*]*(?P<answer>[^\n]+)"
)
_LEADING_LETTER = re.compile(r"^\(?([A-Za-z])(?:\)|[.:](?=\s|$))\s*(.*)$", re.DOTALL)
_LETTER = re.compile(r"^[(\[]?\s*([A-Za-z])\s*[)\]]?[.:]?$")
_OPTION_WORD = re.compile(r"(?i)^(?:option|choice|answer)\s+")
_NUMBER_START = re.compile(r"^[-+−]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")


def extract_answer(text: str, sample: Sample | None = None) -> str | None:
    """The final answer as written, or None.

    With a CHOICE sample the option's letter is returned when the answer names one; an answer
    that names no option comes back as written, for the grader to call wrong.
    """
    raw = _raw(text, sample)
    if raw is None or sample is None or sample.answer_type is not AnswerType.CHOICE:
        return raw
    return choice_letter(raw, sample.choices) or raw


def last_box(text: str) -> str | None:
    """Content of the last balanced box, stripped; None when there is none or it is empty."""
    contents = [_balanced(text, opening.end()) for opening in _BOX.finditer(text)]
    balanced = [content for content in contents if content is not None]
    return balanced[-1].strip() or None if balanced else None


def choice_letter(answer: str, choices: Sequence[str]) -> str | None:
    r"""The option an answer names: ``B``, ``(b)``, ``B. 12``, ``\text{B}``, or its text.

    A letter that stands alone wins over an option of the same text. A letter followed by text
    needs its bracket, full stop or colon: ``A dog`` names no option A.
    """
    letters = [chr(ord("A") + i) for i in range(len(choices))]
    content = _OPTION_WORD.sub("", unwrapped(answer))
    alone = _LETTER.match(content)
    if alone and alone[1].upper() in letters:
        return alone[1].upper()
    texts = [plain(choice) for choice in choices]
    if texts.count(plain(content)) == 1 and plain(content):
        return letters[texts.index(plain(content))]
    leading = _LEADING_LETTER.match(content)
    if leading and leading[1].upper() in letters:
        return leading[1].upper()
    return None


def _raw(text: str, sample: Sample | None) -> str | None:
    box = last_box(text)
    if box is not None:
        return box
    block = _BLOCK.findall(text)
    if block and block[-1].strip() and not _BOX.search(block[-1]):
        return str(block[-1].strip())
    if _BOX.search(text):
        return None  # boxed, but empty or cut: what surrounds it is no statement
    stated = list(_STATED.finditer(text))
    return _statement(stated[-1]["answer"], sample) if stated else None


def _statement(line: str, sample: Sample | None) -> str | None:
    """The answer in the rest of an "answer is" line, by type where the sentence may go on."""
    answer = line.strip().rstrip("*").strip().rstrip(".").strip("*$ ")
    kind = sample.answer_type if sample else None
    if kind in (AnswerType.INTEGER, AnswerType.FLOAT):
        number = _NUMBER_START.match(answer)
        return number[0] if number else answer or None
    if kind is AnswerType.CHOICE and sample is not None:
        word = re.match(r"\(?[A-Za-z]\)?(?=[.,;:)\s]|$)", _OPTION_WORD.sub("", answer))
        # "the answer is a dog" states no option: a lower-case letter must stand alone
        if word and (word[0].isupper() or "(" in word[0] or word[0] == answer):
            return choice_letter(answer, sample.choices) or word[0].strip("()").upper()
    return answer or None


def _balanced(text: str, start: int) -> str | None:
    depth, at = 1, start
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 2  # an escaped brace does not count
            continue
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[start:at]
        at += 1
    return None
