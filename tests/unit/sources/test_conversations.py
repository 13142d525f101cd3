"""Published conversations: both schemas, the layouts of both trainers, and rows that fit none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vlprm.errors import UserError
from vlprm.families.qwen25vl.chat import render_turns
from vlprm.sources.conversations import conversation

SYSTEM = "Judge every step."
FIRST = "### Question:\nHow many?\n\n### Solution Process:\nTwo cups.\n\n"
SECOND = "So 2.\n\n"
IMAGE = {"bytes": b"png", "path": None}


def messages(*answers: str, first: str = FIRST) -> list[dict[str, Any]]:
    """As the HF trainer reads them, with the image's place before the first text."""
    place = {"type": "image", "text": "<image>"}
    found = [{"role": "system", "content": [{"type": "text", "text": SYSTEM}]}]
    for turn, answer in zip((first, SECOND), answers, strict=False):
        before = [place] if turn is first else []
        found += [
            {"role": "user", "content": [*before, {"type": "text", "text": turn}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ]
    return found


def as_qwen(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The same as the Qwen trainer reads it."""
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    turns = [{"from": names[item["role"]], "value": item["content"][-1]["text"]} for item in found]
    turns[1]["value"] = "<image>\n" + turns[1]["value"]
    return turns


@pytest.mark.parametrize("form", [lambda x: x, as_qwen, json.dumps])
def test_forms_of_one_conversation(form: Any) -> None:
    row = {"conversations": form(messages("+", "-")), "image": IMAGE}
    found = conversation(row, "f:0")
    assert (found.system, found.question) == (SYSTEM, "How many?")
    assert found.steps == ("Two cups.", "So 2.")
    assert found.labels == (1, 0)
    assert found.images == (b"png",)
    assert found.source == "published"


def test_training_shows_the_published_text() -> None:
    row = {"conversations": messages("+", "+"), "image": IMAGE}
    found = conversation(row, "f:0")
    assert render_turns(found.question, found.steps) == (FIRST, SECOND)


def test_the_raw_schema_names_its_source() -> None:
    raw = {"source": "CLEVR-Math", "question": "How many?", "first_incorrect_step": None}
    row = raw | {"id": "u1", "conversations": messages("+"), "image": None, "images": [IMAGE]}
    found = conversation(row, "f:0")
    assert found.sample.startswith("clevr-math/")
    other = conversation(row | {"conversations": messages("-")}, "f:1")
    assert other.sample == found.sample, "another solution of the same question"
    asked = FIRST.replace("many", "few")
    other = conversation(row | {"conversations": messages("-", first=asked)}, "f:1")
    assert other.sample != found.sample


def test_special_value_tokens_are_labels_too() -> None:
    row = {"conversations": messages("<+>", "<->"), "image": IMAGE}
    assert conversation(row, "f:0").labels == (1, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"conversations": None}, "no 'conversations'"),
        ({"conversations": "["}, "is no JSON"),
        ({"conversations": []}, "no 'conversations'"),
        ({"conversations": messages("+", "maybe")}, "answer 'maybe' is neither"),
        ({"conversations": messages("+")[:2]}, "do not take turns"),
        ({"conversations": messages("+")[:1]}, "do not take turns"),
        ({"conversations": [messages("+")[0], *messages("+")[:0:-1]]}, "do not take turns"),
        ({"conversations": ["+"]}, "neither {role, content}"),
        ({"conversations": [{"role": "tool", "content": "x"}]}, "neither {role, content}"),
        ({"conversations": messages("+", first="How many?\n\n")}, "'### Question:'"),
        ({"conversations": messages("+", first=FIRST.rstrip())}, "blank line"),
        ({"image": None}, "no image in 'image'"),
        ({"image": {"bytes": None, "path": "a.png"}}, "no image in 'image'"),
    ],
)
def test_rows_that_cannot_be_used(change: dict[str, Any], said: str) -> None:
    row = {"conversations": messages("+"), "image": IMAGE} | change
    with pytest.raises(UserError, match="f:0") as told:
        conversation(row, "f:0")
    assert said in told.value.what
