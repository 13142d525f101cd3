r"""Which option does an answer name: by its letter, its text or its value?

A letter that stands alone wins over an option with the same text. Text and value name an option
only where a single option has them. A letter with the text of another option names none.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vlprm.answers.notation import LONGEST, bare, form, plain, unbracketed
from vlprm.answers.units import SOFT
from vlprm.answers.value import Value, read, same
from vlprm.records import letter

_LEAD = re.compile(
    r"(?i)^(?:(?:the|final|correct|right|best|answer|option|choice|is|letter|therefore|so|thus)\b"
    r"\s*[:=]?\s*)+(?=\S)"
)
_ALONE = re.compile(r"^[\"'“‘(\[{]*\s*([A-Za-z])\s*[)\]}\"'”’]*[.:,;!]?$")
_LETTERED = re.compile(
    r"^(?:\(\s*(?P<round>[A-Za-z])\s*\)|\[\s*(?P<square>[A-Za-z])\s*\]|(?P<half>[A-Za-z])\)"
    r"|(?P<stop>[A-Za-z])[.:](?=\s|$)|(?P<loose>[A-Za-z])(?P<mark>\s*[,;]|\s+\(|\s*[-=—(.:]|\s+))"
    r"\s*(?P<rest>.*)$",
    re.DOTALL,
)
_LETTER_BEHIND = re.compile(r"^(.*[^\s(])\s*[(\[]\s*([A-Z])\s*[)\]]$", re.DOTALL)
_A_AND_VALUE = re.compile(r"^A\s+[^A-Za-z\s]")
_AND = re.compile(r"^(?:and|or|[,;&/+])\s*(?=\S)")
_OTHER = re.compile(r"[(\[]\s*([A-Z])\s*[)\]]")


def letters_of(choices: tuple[str, ...]) -> list[str]:
    """A, B, ... for as many options as there are."""
    return [letter(i) for i in range(len(choices))]


@lru_cache(maxsize=65536)
def choice_letter(answer: str, choices: tuple[str, ...]) -> str | None:
    r"""The option an answer names, or None.

    ``B``, ``(b)``, ``B. 12``, ``B (6 cm)``, ``\text{Answer: B}``; its text; its value
    (``\frac{\pi}{2}`` for ``$\dfrac{\pi}{2}$``, ``6`` where all options are in cm). A letter
    followed by text needs its bracket, full stop or colon, or the option's own text: ``A dog``
    names no option A.
    """
    if len(answer) > LONGEST:
        return None
    content = bare(answer)
    if found := _by_letter(content, choices):
        return found
    # "A 6 cm" is a letter and a value, "A dog" an article and a noun
    if not _A_AND_VALUE.match(content) and (found := _by_text(content, choices)):
        return found
    stripped = _LEAD.sub("", unbracketed(content))
    if stripped != content and (
        found := _by_letter(stripped, choices) or _by_text(stripped, choices)
    ):
        return found
    if behind := _LETTER_BEHIND.match(stripped):
        named = choice_letter(behind[1], choices)
        return named if named == behind[2] else None
    lettered = _LETTERED.match(stripped)
    if lettered:
        named, decided = _lettered(lettered, choices)
        if decided:
            return named
    return _by_value(stripped, choices)


def _by_letter(content: str, choices: tuple[str, ...]) -> str | None:
    alone = _ALONE.match(content)
    return alone[1].upper() if alone and alone[1].upper() in letters_of(choices) else None


def _lettered(found: re.Match[str], choices: tuple[str, ...]) -> tuple[str | None, bool]:
    """The option of a letter with text after it, and whether that decides the answer."""
    strong = found["round"] or found["square"] or found["half"] or found["stop"]
    letter = str(strong or found["loose"]).upper()
    if letter not in letters_of(choices):
        return None, False
    rest = found["rest"].strip()
    if found["mark"] and "(" in found["mark"]:
        rest = rest.removesuffix(")")
    others = {*_OTHER.findall(rest)} & {*letters_of(choices)}
    named = choice_letter(_AND.sub("", rest), choices) if rest else None
    if others - {letter} or named not in (None, letter):
        return None, True
    if strong or named == letter:
        return letter, True
    spaced = found["mark"].strip() in (",", ";") or re.match(r"\s+\(", found["mark"])
    return (letter, True) if spaced and found["loose"].isupper() else (None, False)


def _by_text(content: str, choices: tuple[str, ...]) -> str | None:
    for spelled in (plain, form):
        wanted = spelled(content)
        same_text = [i for i, choice in enumerate(choices) if spelled(choice) == wanted]
        if len(same_text) == 1 and wanted:
            return letters_of(choices)[same_text[0]]
    return None


def _by_value(content: str, choices: tuple[str, ...]) -> str | None:
    value = read(content)
    if value is None:
        return None
    options = [read(choice) for choice in choices]
    one_unit = len({option.unit for option in options if option}) == 1 and all(options)
    hits = [
        letter
        for letter, option in zip(letters_of(choices), options, strict=True)
        if option and _agree(option, value, one_unit=one_unit) and same(option, value)
    ]
    return hits[0] if len(hits) == 1 else None


def _agree(option: Value, value: Value, *, one_unit: bool) -> bool:
    """A unit that all options share may be left out; a sign may be added."""
    if not value.unit:
        return one_unit or not option.unit or option.unit in SOFT
    return option.unit == value.unit or (not option.unit and value.unit in SOFT)
