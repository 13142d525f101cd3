"""A judge's reply to a verdict: is every step right, and if not, which one is the first wrong?

Protocol (prompt ``judge_stepwise_v1``): the sections of the solution, each with blocks
``<analysis_k>...</analysis_k>`` for its step k, then ``<conclusion>Correct|Incorrect``. A judge
stops at the first error, so the last block names the wrong step (published rule, upstream
convert_mc_to_prm_signal.py:354-440).

A leading ``<think>...</think>`` is passed over, as are conclusions and tags quoted in an analysis.
A conclusion "Correct" stands by itself, as in the published clean-up: one of the twelve real
replies calls a block ``<analysis_n>`` and is used. "Incorrect" must name its step beyond doubt,
or the verdict is ``unparsed``: a reply without section headers (real judges drop them, for the
published prompt's own example does) does not tell perception from reasoning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vlprm.answers.marks import HEADER, HEADERS, after_thought, tag_counts
from vlprm.records import Section, Step, Verdict
from vlprm.solutions.steps import numbered

_CONCLUSION = re.compile(r"(?<![`\"'“‘])<conclusion>([^<]{0,400})</conclusion>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)analysis_(\w+)>")
_QUOTES = " \t\r\n.!*_`\"'“”‘’"
_MARK = re.compile(
    rf"(?m:^{HEADER}$)"
    r"|<(?P<close>/?)analysis_(?P<number>\w+)>"
)


class _UnparsedError(ValueError):
    pass


def parse_verdict(rollout_id: str, judge: str, raw: str, steps: Sequence[Step]) -> Verdict:
    """The verdict in a reply; ``first_error`` is a flat index into ``steps``.

    Never raises: a reply that cannot be used has status "unparsed" and a reason.
    """
    try:
        said = raw[after_thought(raw) :]
        first_error = None if _says_correct(said) else _first_error(said, steps)
    except _UnparsedError as error:
        return Verdict(
            rollout_id=rollout_id,
            judge=judge,
            first_error=None,
            status="unparsed",
            reason=str(error),
            raw=raw,
        )
    return Verdict(
        rollout_id=rollout_id, judge=judge, first_error=first_error, status="ok", raw=raw
    )


def _says_correct(raw: str) -> bool:
    if not raw.strip():
        raise _UnparsedError("empty reply")
    # a conclusion quoted in an analysis is its text
    words = {str(said).strip(_QUOTES).lower() for said in _CONCLUSION.findall(_unanalysed(raw))}
    if not words:
        raise _UnparsedError("no conclusion")
    if len(words) > 1:
        raise _UnparsedError("conclusions contradict each other")
    word = words.pop()
    if word not in ("correct", "incorrect"):
        raise _UnparsedError(f"conclusion is neither Correct nor Incorrect: {word[:40]!r}")
    return word == "correct"


def _unanalysed(raw: str) -> str:
    """The reply without its analyses, a blank for each; in one pass."""
    kept, start, opened = [], 0, None
    for tag in _TAG.finditer(raw):
        if opened is None and not tag[1]:
            opened = tag
        elif opened is not None and tag[1] and tag[2] == opened[2]:
            kept.append(raw[start : opened.start()])
            start, opened = tag.end(), None
    return " ".join([*kept, raw[start:]])


def _first_error(raw: str, steps: Sequence[Step]) -> int:
    """Index of the step that the last analysis block speaks of."""
    analysed = _analysed(raw)
    index = {name: step.index for name, step in zip(numbered(steps), steps, strict=True)}
    for section, number in analysed:
        if (section, number) not in index:
            raise _UnparsedError(f"analysis {number} of {section.value} has no such step")
    return index[analysed[-1]]


def _analysed(raw: str) -> list[tuple[Section, int]]:
    """Section and number of every analysis block, in order."""
    found: list[tuple[Section, int]] = []
    section: Section | None = None
    opened: str | None = None
    for mark in _MARK.finditer(raw):
        if mark["header"]:
            if opened is None:  # a header quoted inside an analysis is its text
                section = HEADERS[mark["header"]]
        elif (mark["close"] == "" or mark["number"] != opened) and not tag_counts(
            raw, mark.start(), inside=opened is not None
        ):
            continue  # a tag in the middle of a line is spoken of
        elif mark["close"]:
            if mark["number"] != opened:
                raise _UnparsedError(f"{mark[0]} closes no open analysis")
            opened = None
        elif opened is not None:
            raise _UnparsedError(f"{mark[0]} opens inside analysis {opened}")
        elif section is None:
            raise _UnparsedError("analysis before any section header")
        else:
            opened = mark["number"]
            found.append((section, _number(opened, section, found)))
    if opened is not None:
        raise _UnparsedError(f"analysis {opened} is never closed")
    if not found:
        raise _UnparsedError("no analysis names the wrong step")
    return found


def _number(tag: str, section: Section, found: Sequence[tuple[Section, int]]) -> int:
    if not tag.isascii() or not tag.isdigit() or len(tag) > 6:
        raise _UnparsedError(f"analysis tag {tag!r} is not a number")
    number = int(tag)
    if any(number <= earlier for name, earlier in found if name is section):
        raise _UnparsedError(f"analysis {number} of {section.value} does not count up")
    if section is Section.PERCEPTION and any(name is not section for name, _ in found):
        raise _UnparsedError("perception is analysed after reasoning")
    return number
