"""What an answer or a status means for the call, the endpoint and the run."""

from __future__ import annotations

import email.utils
import time
from types import SimpleNamespace
from typing import Any

import pytest

from vlprm.config.access import Endpoint
from vlprm.engines.chat.outcome import answer, retry_after, status

ENDPOINT = Endpoint(base_url="http://host/v1", key_env="SOME_KEY")


def body(text: str | None = "yes", reason: str = "stop", **more: Any) -> SimpleNamespace:
    message = SimpleNamespace(content=text, refusal=None)
    choice = SimpleNamespace(message=message, finish_reason=reason)
    usage = SimpleNamespace(prompt_tokens=7, completion_tokens=3)
    return SimpleNamespace(**{"choices": [choice], "model": "m", "usage": usage, **more})


@pytest.mark.parametrize(
    ("code", "error", "kind", "reply"),
    [
        (429, None, "busy", "error"),
        (429, "insufficient_quota", "fatal", "error"),
        (500, None, "busy", "error"),
        (503, None, "busy", "error"),
        (400, "content_filter", "answered", "refused"),
        (400, None, "answered", "refused"),
        (401, None, "fatal", "error"),
        (403, None, "fatal", "error"),
        (404, None, "fatal", "error"),
    ],
)
def test_statuses(code: int, error: str | None, kind: str, reply: str) -> None:
    found = status(code, error, "SomeError", {}, ENDPOINT)
    assert (found.kind, found.reply.status) == (kind, reply)
    if code in (401, 403):
        assert "SOME_KEY" in str(found.fatal)
        assert f"answers {code}" in str(found.fatal)


def test_a_failure_is_for_good_this_time_where_the_endpoint_says_so() -> None:
    assert status(503, None, "E", {}, ENDPOINT).again
    assert not status(503, None, "E", {"x-should-retry": "false"}, ENDPOINT).again
    assert not status(413, None, "E", {}, ENDPOINT).again


def test_what_an_endpoint_asks_to_wait() -> None:
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after-ms": "250", "retry-after": "7"}) == 0.25
    assert retry_after({"retry-after": "-3"}) == 0
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 25 < (retry_after({"retry-after": date}) or 0) <= 30
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_answers() -> None:
    found = answer(body(), ())
    assert (found.kind, found.reply.status, found.reply.usage) == ("answered", "ok", (7, 3))
    assert answer(body(reason="length"), ()).reply.status == "cut"
    assert answer(body(reason="content_filter"), ()).reply.status == "refused"
    assert answer(body(text=None), ()).reply.text == ""
    assert answer(body(usage=None), ()).reply.usage is None
    for nothing in (None, "<html>", SimpleNamespace(choices=[]), body(choices=None)):
        assert answer(nothing, ()).kind == "broken"


@pytest.mark.parametrize(
    ("said", "same"),
    [("m", True), ("m-2025-04-16", True), ("org/m", True), ("m-mini", False), ("other", False)],
)
def test_an_answer_of_another_model_is_none(said: str, same: bool) -> None:
    assert (answer(body(model=said), ("m",)).kind == "answered") is same
