r"""The one reader of values: which number does an answer state, and in which unit?

The whole text must be one number: a literal, or arithmetic with one value, after the last equals
sign if there is one. Words such as ``about`` may precede it; a unit or a noun may follow. Anything
left over (a second number, a comparison, a multiplier, a command) means that it states none. No
other module takes numbers out of texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vlprm.answers.arithmetic import computed
from vlprm.answers.notation import bare, unbracketed
from vlprm.answers.units import SOFT, unit_of

LONGEST = 400
"""Characters that a text with a value may have."""

_UNITS_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORD = re.compile(
    rf"(?i)(?:({'|'.join(_TENS_WORDS)})(?:[ -]({'|'.join(_UNITS_WORDS[1:10])}))?"
    rf"|({'|'.join(sorted(_UNITS_WORDS, key=len, reverse=True))}))(?![\w-])"
)
_COMPARED = re.compile(r"[<>]|!=|\\(?:le|ge|ne|ll|gg|pm|mp|in|not|cup|cap|vee|wedge)(?![A-Za-z])")
_EQUALS = re.compile(
    r"=>|->|=|\\(?:approx|simeq|sim|equiv|cong|to|rightarrow|Rightarrow|implies|therefore)(?![A-Za-z])"
)
_SEVERAL = re.compile(r",(?!\d{3}(?!\d))|;|\b(?:or|and)\b|\\\\|\\begin")
_LABEL = re.compile(r"^[^\d:=]*[A-Za-z)][^\d:=]*:\s*(?=[^\s:])")
_BEFORE = re.compile(
    r"(?i)^(?:(?:about|approximately|approx\.?|around|roughly|exactly|nearly|circa|total|of|is|are|be"
    r"|there|the|a|an|answer|value|result|sum|number|it|equals?|to|therefore|thus|so|hence|we|get"
    r"|has|have|final|correct|length|area|perimeter|volume|distance|angle|height|width)\b[,:]?\s*)+"
)
_CURRENCY = re.compile(
    r"([+-]?)\s*(?:(?:US|A|C|HK|NZ)?([$€£¥₹])|(?:(USD|EUR|GBP|JPY|CNY|INR)|(Rs\.?))(?=[\s\d]))\s*"
)
_CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹"}
_ALIKE = Fraction(1, 10**40)


@dataclass(frozen=True, slots=True)
class Value:
    """A number as an answer states it."""

    number: Fraction
    exact: bool
    """False where a root or pi was rounded, to about 60 digits."""
    decimal: bool
    """Written with a decimal point: it may be rounded."""
    unit: str
    """Unit or noun under its one name; "" without one."""


@lru_cache(maxsize=65536)
def read(text: str, unit: str | None = None, *, formula: bool = False) -> Value | None:
    r"""The value a text states, or None.

    Reads ``1,000``, ``-2.5``, ``\$3``, ``50%`` (as 50), ``45^\circ``, ``3/4``, ``2\frac{1}{2}``,
    ``1.2\times 10^{3}``, ``10²``, ``2\sqrt{3}\text{ cm}``, ``x = 3 + 4 = 7``, ``twenty-one boxes``.
    ``unit``: what the question asks for. ``formula``: a letter attached to a number is a factor.
    """
    if len(text) > LONGEST:
        return None
    content = _last_side(unbracketed(bare(text)))
    if content is None:
        return None
    content = _BEFORE.sub("", content).strip()
    if word := _NUMBER_WORD.match(content):
        name = unit_of(content[word.end() :], attached=False, asked=unit)
        return None if name is None else Value(Fraction(_counted(word)), True, False, name)
    sign, currency = "", ""
    if money := _CURRENCY.match(content):
        sign, currency = money[1], money[2] or _CODES.get(money[3] or "", "₹")
        content = content[money.end() :]
    return _numeral(content, sign, currency, unit, formula)


def number(text: str) -> Fraction | None:
    """The exact value of a text that is only a number, with or without a sign of ``units.SOFT``."""
    value = read(text)
    return value.number if value and value.exact and value.unit in {"", *SOFT} else None


def decimals(text: str) -> int:
    """Digits written after the decimal point."""
    match = re.search(r"\.(\d+)", bare(text))
    return len(match[1]) if match else 0


def rounded(value: Fraction, places: int) -> Fraction:
    """Rounded half away from zero, exactly."""
    scale = Fraction(10) ** places
    steps = (abs(value) * scale + Fraction(1, 2)).__floor__()
    return Fraction(steps) / scale * (-1 if value < 0 else 1)


def _numeral(
    content: str, sign: str, currency: str, unit: str | None, formula: bool
) -> Value | None:
    found = computed(content)
    if found is None:
        return None
    rest = content[found.end :]
    if rest.startswith((".", ",", "^", "_", "!")):
        return None
    attached = rest[:1] not in ("", " ", "\\", "(")
    name = unit_of(rest, attached=attached, formula=formula, asked=unit)
    if name is None or (currency and name and name not in SOFT and not _is_count(rest)):
        return None
    value = -found.value if sign == "-" else found.value
    return Value(value, found.exact, found.decimal, name or currency)


def _is_count(rest: str) -> bool:
    """Words after an amount of money; a single letter there is a multiplier."""
    return len(rest.strip().strip(".")) > 1


def _last_side(text: str) -> str | None:
    """The text after the last equals sign; None for a comparison and for several answers."""
    if _COMPARED.search(text.replace("=>", " ").replace("->", " ")):
        return None
    sides = list(_EQUALS.finditer(text))
    if sides:
        if _SEVERAL.search(text, 0, sides[-1].start()):
            return None
        text = text[sides[-1].end() :]
    return _LABEL.sub("", text.strip())


def _counted(word: re.Match[str]) -> int:
    tens, ones, single = word.groups()
    if single:
        return _UNITS_WORDS.index(single.casefold())
    of_ones = _UNITS_WORDS.index(ones.casefold()) if ones else 0
    return 10 * (_TENS_WORDS.index(tens.casefold()) + 2) + of_ones


def same(one: Value, other: Value) -> bool | None:
    """Are the numbers equal, whatever their units? None where rounded roots cannot tell."""
    if one.exact and other.exact:
        return one.number == other.number
    apart = abs(one.number - other.number)
    if apart <= max(abs(one.number), abs(other.number)) * _ALIKE:
        return True
    return None if apart <= _ALIKE else False


def same_rounded(one: Value, other: Value, places: int) -> bool:
    """Are the numbers equal to this many decimals, whatever their units?"""
    return rounded(one.number, places) == rounded(other.number, places)


def with_letters(text: str) -> bool:
    """A number and letters that are no unit of it: ``3x``, ``5 M``."""
    content = bare(text)
    found = computed(content) if len(text) <= LONGEST else None
    return found is not None and re.fullmatch(r"[\sA-Za-z.]+", content[found.end :]) is not None
