r"""Statements of an answer in running text: ``The answer is **B**, since``, ``Answer:`` and a line.

A statement ends at the end of its line, at the end of its sentence outside maths, before a reason,
and where the next one begins. The caller, who knows the question, decides which of several counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DECORATION = r"[*_#>\"“”}\s]*"
# blanks and repetitions are bounded: a looping model must not cost the square of its length
_BLANK = r"\s{1,9}"
_ADVERB = r"(?:therefore|thus|then|hence|indeed|simply|clearly|definitely|probably|likely|just)\b"
_SUBJECT = (
    rf"(?P<whose>(?:this|that|my|your|an|any|each|no|which|whose|other|another){_BLANK})?"
    rf"(?:(?:(?:final|correct|right|best|proper){_BLANK}){{0,4}}answer"
    rf"|(?:final|correct|right|best){_BLANK}(?:option|choice))"
)
_ASIDE = (
    r"(?:\s{0,9},\s{0,9}(?:then|therefore|thus|hence|however)\s{0,9},"
    rf"|{_BLANK}(?:to|for){_BLANK}[^.\n:=]{{1,80}}?)?"
    r"[*_\"”}]{0,9}\s{0,9}(?:\([^()\n]{1,20}\))?[*_]{0,9}\s{0,9}"
)
_COPULA = (
    rf"(?:(?:is|are|was|(?:should|must|will|would|has{_BLANK}to|can{_BLANK}only){_BLANK}be)\b"
    rf"(?:[*_\s]{{0,9}}[:=])?(?:\s{{0,9}},?\s{{0,9}}{_ADVERB},?)?|[:=：])"
)
_HEAD = re.compile(rf"(?i)(?<![A-Za-z\\]){_SUBJECT}{_ASIDE}{_COPULA}")
_CORRECTION = re.compile(
    r"(?i)\b(?:wait|no|actually|hmm|oops|sorry)\b[^\n]{0,80}?[.,;!]\s{1,9}(?:it|that|this)\s{1,9}"
    r"(?:should|must)\s{1,9}be\b(?!\s+(?:noted|said|clear|mentioned))"
)
"""``Wait, that's wrong. It should be``: takes back the statement before it."""
_SUPPOSED = re.compile(
    r"(?i)\b(?:if|unless|whether|suppose|assume|assuming)\s+(?:that\s+)?(?:the\s+)?$"
)
_HEADING = re.compile(r"(?im)^[ \t]*(?:#|\*\*|__)[#*_ \t]*(?:final\s+)?answer[*_ \t]*\n")
_DISPLAY = re.compile(r"\$\$(.*?)\$\$|\\\[(.*?)\\\]", re.DOTALL)
_MARK = re.compile(
    r"(?P<maths>\\[()\[\]]|(?<!\\)\$)|(?P<escape>\\.)|(?P<open>\{)|(?P<close>\})"
    r"|(?P<end>[.!?;。](?=[\s*_\"”)]|$))|(?P<reason>,?\s+(?:because|since)\b"
    r"|,\s+(?:as|so|which|where|but|given|for|due|while|when|not)\b"
    r"|,\s+and\s+(?:I|we|it|this|that|the)\b)"
)
_ABBREVIATION = re.compile(
    r"(?i)(?:\b(?:st|mr|mrs|ms|dr|prof|no|vs|approx|ca|sq|cu|e\.g|i\.e|u\.s|etc|jr|sr|fig)"
    r"|^[(\[]?[A-Za-z])$"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the statement says the answer is."""

    answer: str
    mentions: bool
    """``this answer is ...``: talks about an answer instead of giving one."""


def statements(text: str) -> Iterator[Statement]:
    """Every statement, in order, without empty ones and mere suppositions."""
    heads = sorted(
        [*_HEAD.finditer(text), *_HEADING.finditer(text), *_CORRECTION.finditer(text)],
        key=lambda found: found.start(),
    )
    for number, head in enumerate(heads):
        stop = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        supposed = _SUPPOSED.search(text, max(0, head.start() - 40), head.start())
        if stop < head.end() or supposed:
            continue
        answer = _cut(text[head.end() : stop])
        if answer:
            whose = head.groupdict().get("whose")
            yield Statement(answer, mentions=whose is not None)


def _cut(text: str) -> str:
    """The statement's own words, from the text after its head."""
    start = re.match(_DECORATION + r"(?:\*\*)?", text)
    text = text[start.end() :] if start else text
    display = _DISPLAY.match(text)
    if display:
        return str(display[1] or display[2] or "").strip()
    line = text.split("\n", 1)[0]
    return _clean(line[: _end(line)])


def _end(line: str) -> int:
    """Where the sentence, or the part of it that gives the answer, ends."""
    maths, depth = False, 0
    for mark in _MARK.finditer(line):
        if mark["maths"]:
            maths = {"(": True, "[": True, ")": False, "]": False}.get(mark[0][-1], not maths)
        elif mark["open"] or mark["close"]:
            depth = max(0, depth + (1 if mark["open"] else -1))
        elif mark["escape"] or maths or depth:
            continue
        elif mark["reason"] or not _goes_on(line[: mark.start()], mark[0], line[mark.end() :]):
            return mark.start()
    return len(line)


def _goes_on(before: str, mark: str, after: str) -> bool:
    """A mark that ends no sentence: of a factorial, an abbreviation, or before a small letter."""
    if mark == "!":
        return before[-1:].isdigit() or before[-1:] in (")", "}")
    if mark == ";":
        return re.match(r"\s+[a-z]{3}", after) is None
    if mark == ".":
        return _ABBREVIATION.search(before) is not None
    return False


def _clean(text: str) -> str:
    text = text.strip().strip("`").strip()
    for sign in ("**", "__"):
        if text.count(sign) % 2:
            text = text.removesuffix(sign)
    if text.count("*") == 1:
        text = text.rstrip("*")
    while text.endswith("}") and text.count("}") > text.count("{"):
        text = text[:-1]
    return text.strip().rstrip(".:").strip()
