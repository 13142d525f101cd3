"""What became of one call: an answer, a failure that may pass, or one that ends the run."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vlprm.config.access import Endpoint
from vlprm.errors import UserError
from vlprm.protocols import JudgeReply

LATE = "no answer in time (labels.judge.timeout_seconds)"
NO_REPLY = "the address answers 200 without a reply in it"
_BUSY = (408, 409, 425, 429)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call, as the dispatcher sees it."""

    reply: JudgeReply
    """The answer; for a failure what is said of it."""
    kind: Literal["answered", "busy", "broken", "late", "fatal"]
    """busy: not taken, so not billed; broken: no whole answer, perhaps billed; late: none in time;
    fatal: nobody can be answered there."""
    wait: float | None = None
    """Seconds that the endpoint asks for (Retry-After)."""
    again: bool = True
    """Whether the endpoint lets the call be made again."""
    fatal: UserError | None = None


def failed(kind: Literal["busy", "broken", "late"], why: str, **more: Any) -> Outcome:
    """A failure that may pass."""
    return Outcome(JudgeReply("", "error", why), kind, **more)


def answer(body: Any, names: tuple[str, ...]) -> Outcome:
    """What a completion says. ``names``: the model's, where answers of another are refused."""
    try:
        choice = body.choices[0]
        text = choice.message.content or ""
        refusal = choice.message.refusal
    except (AttributeError, TypeError, IndexError):  # a proxy's page, or an answer of nothing
        return failed("broken", NO_REPLY)
    if names and not _same_model(str(body.model), names):
        return failed("broken", f"another model answers: {body.model}")
    usage = _usage(body)
    if choice.finish_reason == "content_filter" or refusal:
        return Outcome(JudgeReply(text, "refused", "content filter or refusal", usage), "answered")
    if choice.finish_reason == "length":
        return Outcome(JudgeReply(text, "cut", "reply cut at max_tokens", usage), "answered")
    return Outcome(JudgeReply(text, "ok", usage=usage), "answered")


def _same_model(said: str, names: tuple[str, ...]) -> bool:
    """``o4-mini-2025-04-16`` is ``o4-mini``; ``org/model`` is ``model``."""
    last = said.rpartition("/")[2]
    known = {name for item in names for name in (item, item.rpartition("/")[2])}
    return any(
        one == name or one.startswith(f"{name}-20") for one in (said, last) for name in known
    )


def _usage(body: Any) -> tuple[int, int] | None:
    try:
        return int(body.usage.prompt_tokens), int(body.usage.completion_tokens)
    except (AttributeError, TypeError, ValueError):
        return None


def status(
    code: int, error: Any, name: str, headers: Mapping[str, str], endpoint: Endpoint
) -> Outcome:
    """What an HTTP status says; ``error``: the body's own code, ``name``: the client's word."""
    if code in (401, 403, 404) or error == "insufficient_quota":
        return Outcome(
            JudgeReply("", "error", f"{name} {code}"), "fatal",
            fatal=refused_by(endpoint, code, name, str(error or "")),
        )  # fmt: skip
    if code in (400, 422):
        why = "content filter" if error == "content_filter" else name
        return Outcome(JudgeReply("", "refused", f"{why} {code}"), "answered")
    again = headers.get("x-should-retry") != "false" and (code in _BUSY or code >= 500)
    return failed("busy", name, wait=retry_after(headers), again=again)


def refused_by(endpoint: Endpoint, code: int, name: str, error: str) -> UserError:
    """The message of an endpoint at which nothing can be asked."""
    where = endpoint.base_url
    said = f"{where} answers {code} ({name}{', ' + error if error else ''})"
    key = f"the key in {endpoint.key_env}" if endpoint.key_env else "a key (none is named)"
    if error == "insufficient_quota":
        cure = f"the account of {key} has no money left: pay it in, or name another key_env"
    elif code == 404:
        model = endpoint.deployment or endpoint.model or "labels.judge.model"
        cure = f"see that base_url and the model's name there belong together ({model})"
    else:
        cure = (
            f"it does not take {key}: see that base_url, model and the key in api_key_env or"
            " endpoints.key_env belong together"
        )
    return UserError(said, where="labels.judge", cure=cure)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait; None where it says nothing that can be read."""
    for header, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers[header]) / divisor
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    moment = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if moment is None else max(0.0, email.utils.mktime_tz(moment) - time.time())
