r"""Exact arithmetic of a written number: literals, fractions, mixed numbers, powers, roots, pi.

What Math-Verify compares with a tolerance is computed here with exact fractions. Irrational roots
and pi are carried to ``DIGITS`` digits and marked as inexact. No name is looked up and nothing is
evaluated as code. Anything larger than ``BITS`` bits has no value here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

BITS = 4096
"""Size of a numerator or denominator up to which values are computed."""
DIGITS = 60
DEPTH = 24
"""Nested groups that are followed."""
PI = Fraction(314159265358979323846264338327950288419716939937510582097494459, 10**62)

_LITERAL = re.compile(
    r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?![\d/])|\d+)(?:\.\d*)?|\.\d+)"
    r"(?:[eE][+-]?\d{1,3}(?![\d.]))?"
)
_MIXED = re.compile(
    r"(?:\s*\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|\s*\\frac(\d)(\d)|\s(\d+)/(\d+)(?![\d.]))"
)
_TIMES = re.compile(r"\s*(?:\*|\\times(?![A-Za-z])|\\cdot(?![A-Za-z])|[xX](?=\s*10\s*\^))\s*")
_OVER = re.compile(r"\s*(?:/|\\div(?![A-Za-z]))\s*")
_SIGN = re.compile(r"\s*([+-])\s*")
_BESIDE = re.compile(r"\s*(?=(?:\\frac|\\?sqrt|\\?pi)(?![A-Za-z]))|(?=\()")
_FACTORIAL = re.compile(r"!(?!!)")
_ROOT = re.compile(r"\\?sqrt(?![A-Za-z])\s*(?:\[\s*(\d)\s*\])?\s*")
_PI = re.compile(r"(?:\\pi|(?<![A-Za-z\\])pi)(?![A-Za-z])")
_FRACTION = re.compile(r"\\frac(?![A-Za-z])\s*")
_EXPONENT = re.compile(r"\s*\^\s*")
_SIGNED_DIGITS = re.compile(r"[+-]?\d{1,4}")
_BLANK = re.compile(r"\s*")
_DIGIT = re.compile(r"\s*(\d)")
_OPENING = re.compile(r"\s*[{(]")
_CLOSING = {"(": ")", "{": "}"}


@dataclass(frozen=True, slots=True)
class Computed:
    """The value of the arithmetic a text begins with."""

    value: Fraction
    exact: bool
    """False where a root or pi was rounded."""
    decimal: bool
    """Was any part of it written with a decimal point?"""
    plain: bool
    """One literal and nothing else."""
    end: int
    """Offset where the arithmetic ends."""


class _NoValueError(ValueError):
    pass


def computed(text: str, start: int = 0) -> Computed | None:
    """The value of the longest arithmetic that begins at ``start``; None without one.

    None also for a text without a value (a division by zero), an ambiguous one (``2 3/2``), and
    one that grows beyond ``BITS``.
    """
    reader = _Reader(text, start)
    try:
        value = reader.sum()
    except (_NoValueError, RecursionError):
        return None
    return Computed(value, reader.exact, reader.decimal, reader.parts == 1, reader.at)


class _Reader:
    """A cursor in the text. Each method reads one thing or raises; operators look ahead."""

    def __init__(self, text: str, start: int) -> None:
        self._text, self.at = text, start
        self._depth = 0
        self.exact, self.decimal, self.parts = True, False, 0

    def sum(self) -> Fraction:
        value = self._product()
        while sign := self._next(_SIGN):
            term = self._tried(sign, self._product)
            if term is None:
                break
            value = _bounded(value + term if sign[1] == "+" else value - term)
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while True:
            if operator := self._next(_TIMES):
                factor = self._tried(operator, self._signed)
            elif operator := self._next(_OVER):
                factor = self._tried(operator, self._signed)
                if factor is not None:
                    factor = _inverse(factor)
            elif operator := self._next(_BESIDE):
                factor = self._tried(operator, self._power)
            else:
                return value
            if factor is None:
                return value
            value = _bounded(value * factor)

    def _signed(self) -> Fraction:
        sign = self._next(_SIGN)
        if sign is None:
            return self._power()
        return -self._power() if sign[1] == "-" else self._power()

    def _power(self) -> Fraction:
        base = self._atom()
        if self._next(_FACTORIAL):
            base = _factorial(base)
            self.parts += 1
        if self._next(_EXPONENT):
            base = _raised(base, self._exponent())
            self.parts += 1
        return base

    def _exponent(self) -> Fraction:
        if digits := self._next(_SIGNED_DIGITS):
            return Fraction(digits[0])
        return self._group()

    def _atom(self) -> Fraction:
        self.parts += 1
        if literal := self._next(_LITERAL):
            return self._after_literal(literal[0])
        if root := self._next(_ROOT):
            return self._root(self._argument(), int(root[1] or 2))
        if self._next(_FRACTION):
            top = self._argument()
            return _bounded(top * _inverse(self._argument()))
        if self._next(_PI):
            self.exact = False
            return PI
        return self._group()

    def _after_literal(self, literal: str) -> Fraction:
        if self._depth and "," in literal:
            raise _NoValueError  # in brackets a comma may separate two numbers
        self.decimal = self.decimal or "." in literal.rstrip(".")
        value = _bounded(Fraction(literal.replace(",", "").replace(" ", "").rstrip(".")))
        if not literal.isdigit() or not (part := self._next(_MIXED)):
            return value
        top, bottom = (int(number) for number in part.groups() if number is not None)
        if not 0 < top < bottom:
            raise _NoValueError  # a mixed number, or a product of two?
        self.parts += 1
        return value + Fraction(top, bottom)

    def _argument(self) -> Fraction:
        if _OPENING.match(self._text, self.at):
            self._next(_BLANK)
            return self._group()
        if digit := self._next(_DIGIT):
            return Fraction(digit[1])
        if self._next(_PI):
            self.exact = False
            return PI
        raise _NoValueError

    def _group(self) -> Fraction:
        opening = self._text[self.at : self.at + 1]
        if opening not in _CLOSING or self._depth == DEPTH:
            raise _NoValueError
        self._depth += 1
        self.at += 1
        self._next(_BLANK)
        value = self.sum()
        self._next(_BLANK)
        if self._text[self.at : self.at + 1] != _CLOSING[opening]:
            raise _NoValueError
        self.at += 1
        self._depth -= 1
        return value

    def _root(self, value: Fraction, degree: int) -> Fraction:
        if degree < 2 or value < 0:
            raise _NoValueError
        top, bottom = _whole_root(value.numerator, degree), _whole_root(value.denominator, degree)
        if top**degree == value.numerator and bottom**degree == value.denominator:
            return Fraction(top, bottom)
        self.exact = False
        scale = 10**DIGITS * (1 << max(0, value.denominator.bit_length() // degree))
        return Fraction(_whole_root(math.floor(value * scale**degree), degree), scale)

    def _tried(self, operator: re.Match[str], read: Callable[[], Fraction]) -> Fraction | None:
        """What follows an operator; without an operand the text ends before the operator."""
        depth = self._depth
        try:
            return read()
        except _NoValueError:
            if self._text[operator.end() : operator.end() + 1].isdigit():
                raise
            self.at, self._depth = operator.start(), depth
            return None

    def _next(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self.at)
        if found is not None:
            self.at = found.end()
        return found


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 4 * BITS:
        raise _NoValueError
    return value


def _inverse(value: Fraction) -> Fraction:
    if value == 0:
        raise _NoValueError
    return 1 / value


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator != 1 or abs(exponent) * size > BITS or (base == 0 and exponent <= 0):
        raise _NoValueError
    return Fraction(base ** int(exponent))


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= 100:
        raise _NoValueError
    return Fraction(math.factorial(int(value)))


def _whole_root(value: int, degree: int) -> int:
    """The largest whole number whose power is at most ``value``."""
    if degree == 2:
        return math.isqrt(value)
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low
