r"""Marks in a solution or a reply, defined once for all readers: boxes, headers, thoughts.

A box is ``\boxed{...}`` (or ``\fbox``), with or without blank space before its brace. A header is
``[Visual Elements]``, ``[Perception]`` or ``[Reasoning]`` on a line of its own; markdown round it
(``## [Reasoning]``, ``**[Reasoning]:**``) and any line end count for nothing. What a model writes
in a leading ``<think>...</think>`` is not part of what it says.
"""

from __future__ import annotations

import re

from vlprm.records import Section

HEADERS = {
    "[Visual Elements]": Section.PERCEPTION,
    "[Perception]": Section.PERCEPTION,
    "[Reasoning]": Section.REASONING,
}
HEADER = r"[>#*_ \t]{0,40}(?P<header>\[(?:Visual Elements|Perception|Reasoning)\])[*_: \t\r]{0,40}"
"""A header's line, from the line's beginning up to its end; a pattern with one group."""

# \x08oxed: a JSON writer that did not escape the backslash turned \b into a backspace.
_BOX = re.compile(r"(?:\\boxed|\\fbox|\x08oxed)\s*\{")
_BRACE = re.compile(r"(?P<box>\\{1,4}(?:boxed|fbox)\s*\{|\x08oxed\s*\{)|\\.|[{}]", re.DOTALL)
_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


def has_box(text: str) -> bool:
    """Is a box opened, be it closed or not?"""
    return _BOX.search(text) is not None


def boxes(text: str) -> list[tuple[str, int]]:
    """Content, stripped, and end offset of every balanced box, in order of their openings.

    One pass over the text: a model that loops opens thousands.
    """
    opened: list[tuple[int, bool]] = []
    found: list[tuple[int, int]] = []
    for token in _BRACE.finditer(text):
        if token[0].endswith("{") and token[0] != r"\{":
            opened.append((token.end(), token["box"] is not None))
        elif token[0] == "}" and opened:
            start, is_box = opened.pop()
            if is_box:
                found.append((start, token.start()))
    return [(text[start:end].strip(), end + 1) for start, end in sorted(found)]


def last_box(text: str) -> str | None:
    """Content of the last balanced box; None when there is none or it is empty."""
    found = boxes(text)
    return (found[-1][0] or None) if found else None


def closing_brace(text: str, start: int) -> int | None:
    """Where the brace closes that was opened just before ``start``; None when it never does."""
    depth, at = 1, start
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 2  # an escaped brace does not count
            continue
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return at
        at += 1
    return None


def tag_counts(text: str, start: int, *, inside: bool) -> bool:
    """Does a tag at ``start`` count? In the middle of a line it is only spoken of.

    It counts where a line begins and, outside a block, right after another tag.
    """
    before = text[text.rfind("\n", 0, start) + 1 : start].strip()
    return not before or (not inside and before.endswith(">"))


def after_thought(text: str) -> int:
    """Offset at which a leading ``<think>...</think>`` is over; 0 without one."""
    thought = _THOUGHT.match(text)
    return thought.end() if thought else 0
