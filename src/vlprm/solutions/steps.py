"""Solution text to steps and back to true prefixes.

Two layouts. ``tagged`` (published rollouts): sections ``[Visual Elements]`` (or ``[Perception]``)
and ``[Reasoning]`` on lines of their own, steps in ``<step_k>...</step_k>``, the answer in
``<correct_answer>``. ``blank_lines``: steps separated by one blank line, the section switched by
a header line that opens a step. What a header and a box are, ``vlprm.answers.marks`` says; a
leading ``<think>...</think>`` belongs to no step. Line ends may be CRLF, blank lines hold blanks.
A prefix is always a slice of the text as it was drawn, never rebuilt, so a continuation truly
continues it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from vlprm.answers.marks import HEADER, HEADERS, after_thought, has_box, tag_counts
from vlprm.records import Section, Step

Layout = Literal["tagged", "blank_lines"]

SEPARATOR = "\n\n"
"""Ends a step in the layout ``blank_lines``; a search stops on it."""

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_HEADER_LINE = re.compile(rf"{HEADER}(?:\n|\Z)")
# Tag numbers are captured as text: <step_n> is a tag, though not a valid one.
_MARK = re.compile(
    rf"(?m:^{HEADER}$)"
    r"|<(?P<close>/?)step_(?P<number>\w+)>"
    r"|<(?P<answer_close>/?)correct_answer>"
)


class StepParseError(ValueError):
    """The text does not follow its layout; ``reason`` says how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def split(text: str, layout: Layout) -> tuple[Step, ...]:
    """The steps of a solution, in order.

    ``tagged`` wants both sections with at least one step each, steps counted 1, 2, ... within
    their section, every tag closed, and a ``<correct_answer>`` block (which is no step). A tag
    counts where a line begins or another tag just closed; in the middle of a line it is spoken of.
    Where the published parser loses a step silently (unclosed tag, repeated number) this one
    raises.

    Raises StepParseError.
    """
    steps = tuple(_tagged(text) if layout == "tagged" else _blank_lines(text))
    if not steps:
        raise StepParseError("no steps")
    return steps


def pieces(text: str, steps: Sequence[Step]) -> tuple[str, ...]:
    """The text cut at the steps' ends; one piece a step, then what follows the last one.

    Joined, the pieces are the text.
    """
    ends = [0, *(step.end for step in steps), len(text)]
    return tuple(text[start:end] for start, end in pairwise(ends))


def prefixes(text: str, steps: Sequence[Step]) -> tuple[str, ...]:
    """The true prefix up to and including each step."""
    return tuple(text[: step.end] for step in steps)


def numbered(steps: Sequence[Step]) -> tuple[tuple[Section, int], ...]:
    """How the judge protocol names each step: section and number from 1 within the section.

    The protocol knows two sections; a SOLUTION step counts as REASONING.
    """
    count = {Section.PERCEPTION: 0, Section.REASONING: 0}
    names: list[tuple[Section, int]] = []
    for step in steps:
        section = step.section if step.section in count else Section.REASONING
        count[section] += 1
        names.append((section, count[section]))
    return tuple(names)


def tagged(steps: Sequence[Step]) -> str:
    """Steps of any layout as sections with ``<step_k>`` tags, the form a judge is shown."""
    headers = {Section.PERCEPTION: "[Visual Elements]", Section.REASONING: "[Reasoning]"}
    body: dict[Section, list[str]] = {section: [] for section in headers}
    for step, (section, number) in zip(steps, numbered(steps), strict=True):
        body[section].append(f"<step_{number}>\n{step.text}\n</step_{number}>")
    return "\n\n".join(
        "\n".join([headers[section], *blocks]) for section, blocks in body.items() if blocks
    )


def shown_to_judge(text: str, steps: Sequence[Step]) -> str:
    """The solution with numbered step tags: as written if it has them, else rebuilt."""
    return text if "<step_1>" in text else tagged(steps)


def _blank_lines(text: str) -> Iterator[Step]:
    section, index, start = Section.REASONING, 0, after_thought(text)
    while start < len(text):
        cut = _BLANK_LINE.search(text, start)
        end = cut.end() if cut else len(text)
        piece, start = text[start:end].strip(), end
        header = _HEADER_LINE.match(piece)
        if header:
            section = HEADERS[header["header"]]
            piece = piece[header.end() :].strip()
        if not piece:
            continue
        own = Section.SOLUTION if has_box(piece) else section
        yield Step(index=index, section=own, text=piece, end=end)
        index += 1


def _tagged(text: str) -> list[Step]:
    steps: list[Step] = []
    seen: list[Section] = []
    number, opened, answered = 0, None, False
    for mark in _MARK.finditer(text, after_thought(text)):
        if mark["number"] is None and opened is not None:
            continue  # a header or an answer tag quoted inside a step is its text
        if mark["number"] is not None and _spoken_of(text, mark, opened):
            continue
        if mark["header"]:
            section = HEADERS[mark["header"]]
            if section in seen:
                raise StepParseError(f"section {mark['header']} opens twice")
            seen.append(section)
            number = 0
        elif mark["number"] is None:
            answered = answered or _has_answer(text, mark)
            break
        elif mark["close"]:
            if opened is None or opened["number"] != mark["number"]:
                raise StepParseError(f"{mark[0]} closes no open step")
            content = text[opened.end() : mark.start()].strip()
            if not content:
                raise StepParseError(f"step {mark['number']} is empty")
            steps.append(Step(index=len(steps), section=seen[-1], text=content, end=mark.end()))
            opened = None
        else:
            number += 1
            _check_opening(mark, opened, number, seen)
            opened = mark
    if opened is not None:
        raise StepParseError(f"{opened[0]} is never closed")
    _check_complete(steps, seen, answered)
    return steps


def _spoken_of(text: str, mark: re.Match[str], opened: re.Match[str] | None) -> bool:
    """Is a tag only mentioned? The open step's own closing tag may stand anywhere."""
    if mark["close"] and opened is not None and opened["number"] == mark["number"]:
        return False
    return not tag_counts(text, mark.start(), inside=opened is not None)


def _has_answer(text: str, mark: re.Match[str]) -> bool:
    if mark["answer_close"] or "</correct_answer>" not in text[mark.end() :]:
        raise StepParseError("<correct_answer> is not opened and closed once")
    return True


def _check_opening(
    mark: re.Match[str], opened: re.Match[str] | None, number: int, seen: list[Section]
) -> None:
    if opened is not None:
        raise StepParseError(f"{mark[0]} opens inside {opened[0]}")
    if not seen:
        raise StepParseError(f"{mark[0]} stands before any section header")
    if mark["number"] != str(number):
        raise StepParseError(f"{mark[0]} where step {number} of its section was due")


def _check_complete(steps: list[Step], seen: list[Section], answered: bool) -> None:
    if seen != [Section.PERCEPTION, Section.REASONING]:
        raise StepParseError("sections are not [Visual Elements] (or [Perception]), [Reasoning]")
    for section in seen:
        if all(step.section != section for step in steps):
            raise StepParseError(f"section {section.value} has no steps")
    if not answered:
        raise StepParseError("no <correct_answer>")
