"""A judge: a model behind an OpenAI-compatible address."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Lock
from typing import TYPE_CHECKING, Any

from vlprm.config.labels import JudgeConfig
from vlprm.errors import UserError
from vlprm.families.family import Images
from vlprm.ledger.book import DOWN
from vlprm.ledger.running import AllFailedError
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import Message

if TYPE_CHECKING:
    from openai import OpenAI

CONNECT_S = 10
"""An address that is there takes a connection at once."""
_TRIES = 6
"""Of a call that is told to wait (429) or finds no server (5xx, no connection)."""
_LATE = "no answer in time (labels.judge.timeout_seconds)"


class ChatJudge:
    """A chat model that is shown image, problem and solution."""

    def __init__(self, config: JudgeConfig, store: Images) -> None:
        name = config.api_key_env
        key = os.environ.get(name, "") if name else "none"
        if not key:
            raise UserError(
                f"environment variable {name} is not set",
                where="labels.judge.api_key_env",
                cure=f"export {name} with the key of {config.base_url}",
            )
        self._config, self._store = config, store
        self._client, self._late = _client(config, key)

    def judge(self, requests: Sequence[JudgeRequest]) -> Iterator[tuple[int, JudgeReply]]:
        """See ``protocols.Judge``; ``concurrency`` requests are under way at a time.

        Raises UserError when the address refuses the key or does not know the model: no request
        can be answered then. Raises AllFailedError when the first calls all waited in vain.
        """
        pool = ThreadPoolExecutor(self._config.concurrency or 1)
        silence = _Silence()
        try:
            waiting = {
                pool.submit(self._unless_silent, item, silence): place
                for place, item in enumerate(requests)
            }
            for done in as_completed(waiting):
                reply = done.result()
                if reply is None:
                    raise AllFailedError(f"{_LATE}; none of {silence.asked} calls had one")
                yield waiting[done], reply
        finally:
            pool.shutdown(cancel_futures=True)

    def _unless_silent(self, request: JudgeRequest, silence: _Silence) -> JudgeReply | None:
        """The reply; None, and nothing is asked, where the address is known to hang."""
        if not silence.may_ask():
            return None
        reply = self._ask(request)
        silence.came(reply)
        return reply

    def _ask(self, request: JudgeRequest) -> JudgeReply:
        import openai

        settings: dict[str, Any] = {}
        if self._config.temperature is not None:
            settings["temperature"] = self._config.temperature
        try:
            answer = self._client.chat.completions.create(
                model=str(self._config.model),
                messages=[self._message(message) for message in request.messages],  # type: ignore[misc]
                max_completion_tokens=self._config.max_tokens,
                **settings,
            )
        except (
            openai.AuthenticationError,
            openai.PermissionDeniedError,
            openai.NotFoundError,
        ) as error:
            raise UserError(
                f"{self._config.base_url} answers {error.status_code} ({type(error).__name__})",
                where="labels.judge",
                cure="see that base_url, model and the key in api_key_env belong together",
            ) from error
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            return JudgeReply("", "refused", f"{type(error).__name__} {error.status_code}")
        except self._late:
            return JudgeReply("", "error", _LATE)
        except (openai.OpenAIError, ValueError) as error:  # ValueError: no JSON
            return JudgeReply("", "error", type(error).__name__)
        try:
            choice = answer.choices[0]
            text = choice.message.content or ""
        except (AttributeError, TypeError, IndexError):  # a proxy's page, or an answer of nothing
            return JudgeReply("", "error", "the address answers 200 without a reply in it")
        if choice.finish_reason == "content_filter" or choice.message.refusal:
            return JudgeReply(text, "refused", "content filter or refusal")
        if choice.finish_reason == "length":
            return JudgeReply(text, "cut", "reply cut at max_tokens")
        return JudgeReply(text, "ok")

    def _message(self, message: Message) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
        for ref in message.images:
            buffer = io.BytesIO()
            self._store.open(ref).save(buffer, format="PNG")
            url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
            parts.append({"type": "image_url", "image_url": {"url": url}})
        return {"role": message.role, "content": parts}


class _Silence:
    """Does an address hang? Then the calls that wait for a place are not made: each would wait as
    long again. Known when a call waited in vain, enough were made, and none has come back."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = Lock()
        self._late = self._heard = False

    def may_ask(self) -> bool:
        """Count one more call, unless the address hangs."""
        with self._lock:
            if self._late and not self._heard and self.asked >= DOWN:
                return False
            self.asked += 1
            return True

    def came(self, reply: JudgeReply) -> None:
        """Note how a call ended."""
        with self._lock:
            self._late |= reply.error == _LATE
            self._heard |= reply.error != _LATE


def _client(config: JudgeConfig, key: str) -> tuple[OpenAI, type[Exception]]:
    """The client, and what it raises for a call that waited in vain.

    Such a call is made once: the library would make it again as often as one that is refused, with
    the same patience, and every time at the price of all that the model has thought.
    """
    import openai

    class LateError(openai.OpenAIError):
        """The library hands on errors of its own kind at once."""

    class Once(openai.DefaultHttpxClient):
        def send(self, *given: Any, **named: Any) -> Any:
            try:
                return super().send(*given, **named)
            except Exception as error:
                # by name: the library chooses the module that it comes from
                if type(error).__name__ != "ReadTimeout":
                    raise
                raise LateError(_LATE) from error

    client = openai.OpenAI(
        api_key=key,
        base_url=config.base_url,
        max_retries=_TRIES - 1,
        timeout=openai.Timeout(config.timeout_seconds, connect=CONNECT_S),
        http_client=Once(),
    )
    return client, LateError
