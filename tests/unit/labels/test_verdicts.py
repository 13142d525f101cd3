"""Judge replies: what counts, what cannot be used and why."""

from __future__ import annotations

import pytest

from vlprm.labels.verdicts import parse_verdict
from vlprm.records import Section, Step

STEPS = tuple(
    Step(index=i, section=Section.PERCEPTION if i < 2 else Section.REASONING, text="s", end=i)
    for i in range(4)
)


def reply(conclusion: str, *blocks: tuple[str, str]) -> str:
    lines = []
    for header, number in blocks:
        lines += [header] if header else []
        lines.append(f"<analysis_{number}>\nx\n</analysis_{number}>")
    return "\n".join([*lines, f"<conclusion>\n{conclusion}\n</conclusion>"])


PERCEPTION, REASONING = "[Visual Elements]", "[Reasoning]"


@pytest.mark.parametrize(
    ("raw", "first_error"),
    [
        (reply("Correct", (PERCEPTION, "1"), (REASONING, "1")), None),
        (reply("Correct", ("", "n")), None),
        (reply("Incorrect", (PERCEPTION, "1"), ("", "2")), 1),
        (reply("Incorrect", (PERCEPTION, "1"), (REASONING, "2")), 3),
        (reply("**incorrect.**", (PERCEPTION, "1")), 0),
    ],
)
def test_usable_replies(raw: str, first_error: int | None) -> None:
    verdict = parse_verdict("r", "j", raw, STEPS)
    assert (verdict.status, verdict.first_error) == ("ok", first_error)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "Looks fine to me.",
        reply("Maybe", (PERCEPTION, "1")),
        reply("Incorrect"),
        reply("Incorrect", ("", "1")),
        reply("Incorrect", (PERCEPTION, "n")),
        reply("Incorrect", (PERCEPTION, "7")),
        reply("Correct") + reply("Incorrect", (PERCEPTION, "1")),
    ],
)
def test_what_cannot_be_used_says_why_and_is_never_a_label(raw: str) -> None:
    verdict = parse_verdict("r", "j", raw, STEPS)
    assert (verdict.status, verdict.first_error) == ("unparsed", None)
    assert verdict.reason
    assert verdict.raw == raw
