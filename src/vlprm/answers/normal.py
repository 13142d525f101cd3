"""Normal forms: text without wrapping, and numbers as exact fractions.

Nothing is evaluated: a number is a literal, a simple fraction, a percentage as written, or a
literal times a power of ten.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction

_WRAPPER = re.compile(
    r"\\(?:text|mathrm|mathbf|textbf|textit|mathit|operatorname|mbox)\s*\{([^{}]*)\}"
)
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("`", "`"), ("**", "**"))
_ARTICLE = re.compile(r"^(?:a|an|the)\s+(?=\S)")
_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen", "twenty"),
)
_LITERAL = r"[+-]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d*)?(?:[eE][+-]?\d{1,3})?"
_NUMBER = re.compile(_LITERAL)
_FRACTION = re.compile(r"([+-]?)\\[dt]?frac\{?([+-]?\d+)\}?\{?(\d+)\}?")
_SLASH = re.compile(r"([+-]?\d+)/(\d+)")
_SCIENTIFIC = re.compile(rf"({_LITERAL})(?:\\times|\\cdot|×|\*|x)10\^\{{?([+-]?\d{{1,3}})\}}?")
_MAX_DIGITS = 100


def unwrapped(text: str) -> str:
    r"""Without surrounding blank space, maths delimiters and ``\text{}``-like wrappers."""
    before, text = None, unicodedata.normalize("NFKC", text).strip()
    while before != text:
        before = text
        text = _WRAPPER.sub(r"\1", text).strip()
        for opening, closing in _DELIMITERS:
            inner = len(text) - len(opening) - len(closing)
            if inner > 0 and text.startswith(opening) and text.endswith(closing):
                text = text[len(opening) : -len(closing)].strip()
    return text


def plain(text: str) -> str:
    """Words for comparison: case-folded, one space, no outer punctuation, no leading article."""
    folded = " ".join(unwrapped(text).casefold().replace("\\ ", " ").replace("~", " ").split())
    bare = folded.strip(" .,;:!?\"'“”‘’")
    return _ARTICLE.sub("", bare) if bare else folded


def number(text: str, unit: str | None = None) -> Fraction | None:
    r"""The exact value of a number, or None.

    Reads ``1,000``, ``-2.5``, ``\$3``, ``50%`` (as 50), ``45^\circ``, ``3/4``, ``\frac{3}{4}``,
    ``1.2\times 10^{3}`` and ``zero`` to ``twenty``. Words after a number are refused unless they
    are ``unit``: 10 m is not 10 cm.
    """
    bare = plain(text) if len(text) < 20 else ""
    if bare in _WORDS:
        return Fraction(_WORDS.index(bare))
    literal = _bare_number(unwrapped(text), unit)
    if not literal or len(literal) > _MAX_DIGITS:
        return None
    if match := _FRACTION.fullmatch(literal) or _SLASH.fullmatch(literal):
        *sign, top, bottom = match.groups()
        if int(bottom) == 0:
            return None
        return Fraction(int(top), int(bottom)) * (-1 if sign == ["-"] else 1)
    if match := _SCIENTIFIC.fullmatch(literal):
        base = _literal(match[1])
        return None if base is None else base * Fraction(10) ** int(match[2])
    return _literal(literal)


def decimals(text: str) -> int:
    """Digits written after the decimal point."""
    match = re.search(r"\.(\d+)", text)
    return len(match[1]) if match else 0


def rounded(value: Fraction, places: int) -> Fraction:
    """Rounded half away from zero, exactly."""
    scale = Fraction(10) ** places
    steps = (abs(value) * scale + Fraction(1, 2)).__floor__()
    return Fraction(steps) / scale * (-1 if value < 0 else 1)


def _bare_number(text: str, unit: str | None) -> str:
    """Without currency, percent and degree signs, the expected unit and typographic space."""
    for old, new in (("−", "-"), ("–", "-"), ("{,}", ","), ("\\,", ""), ("\\!", ""), ("\\ ", " ")):
        text = text.replace(old, new)
    text = text.rstrip(".") if not text.endswith("..") else text
    text = re.sub(r"^([+-]?)\s*(?:\\?\$|€|£|¥)\s*", r"\1", text)
    text = re.sub(r"\s*(?:\\?%|°|\^\{?\\circ\}?|\\degree)$", "", text)
    if unit:
        name = unit.strip().casefold()
        for ending in (name, name + "s", name.removesuffix("s")):
            if ending and text.casefold().endswith(ending):
                text = text[: -len(ending)]
                break
    text = text.strip()
    # a blank is a thousands separator only between groups of three: "1 000" but not "1 2"
    if re.fullmatch(r"[+-]?\d{1,3}( \d{3})+(\.\d+)?", text):
        return text.replace(" ", "")
    if "10^" in text:
        return re.sub(r"\s+", "", text)
    return re.sub(r"\s*([-+/*^{}×\\])\s*", r"\1", text)


def _literal(text: str) -> Fraction | None:
    if not _NUMBER.fullmatch(text) or not re.match(r"[+-]?\.?\d", text):
        return None
    return Fraction(Decimal(text.replace(",", "")))
