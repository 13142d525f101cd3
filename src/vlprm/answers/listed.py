"""Lists as answers: parsed without evaluating; items that are numbers become numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from vlprm.answers.notation import bare, plain
from vlprm.answers.value import number

Item = Fraction | str | tuple["Item", ...]

_OPENING = {"[": "]", "(": ")", "{": "}"}
_MAX_DEPTH = 8


def parse_list(text: str, depth: int = 0) -> tuple[Item, ...]:
    """Items in order: ``[1, 2]``, ``1; 2``, ``(a, b)`` and nested lists. All kinds of brackets
    mean the same. One item without brackets is a list of one.
    """
    content = bare(text.replace(r"\{", "{").replace(r"\}", "}"))
    if content and _closes(content):
        content = content[1:-1]
    return tuple(_item(piece, depth) for piece in _split(content))


def _item(piece: str, depth: int) -> Item:
    piece = piece.strip().strip("'\"").strip()
    if piece and depth < _MAX_DEPTH and _closes(piece):
        return parse_list(piece, depth + 1)
    value = number(piece)
    return plain(piece) if value is None else value


def _closes(text: str) -> bool:
    """Does the first bracket close at the very end?"""
    if text[0] not in _OPENING or text[-1] != _OPENING[text[0]]:
        return False
    level = 0
    for at, character in enumerate(text):
        level += (character in "[({") - (character in "])}")
        if level == 0:
            return at == len(text) - 1
    return False


def _split(text: str) -> list[str]:
    """At the commas (or semicolons, if there are any) outside brackets."""
    level, cuts, marks = 0, [], []
    for at, character in enumerate(text):
        level += (character in "[({") - (character in "])}")
        if level == 0 and character in ",;":
            cuts.append(at)
            marks.append(character)
    if ";" in marks:
        cuts = [at for at, mark in zip(cuts, marks, strict=True) if mark == ";"]
    edges = [-1, *cuts, len(text)]
    items = [text[a + 1 : b] for a, b in pairwise(edges)]
    return [item for item in items if item.strip()]
