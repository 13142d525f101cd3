"""One endpoint's client: a call goes out once, and what comes back is an outcome, never an error.

The library's own retries are off: it knows neither limits nor budget.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from vlprm.config.access import Endpoint
from vlprm.config.labels import JudgeConfig
from vlprm.engines.chat import outcome
from vlprm.engines.chat.outcome import Outcome
from vlprm.errors import UserError
from vlprm.ledger.account import Quota

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_S = 10
"""An address that is there takes a connection at once."""


def key_of(endpoint: Endpoint) -> str:
    """The endpoint's key, from the environment.

    Raises UserError when its variable is not set.
    """
    name = endpoint.key_env
    key = os.environ.get(name, "") if name else "none"
    if not key:
        raise UserError(
            f"environment variable {name} is not set",
            where="labels.judge.api_key_env or endpoints.key_env",
            cure=f"export {name} with the key of {endpoint.base_url}",
        )
    return key


class Line:
    """An endpoint while it is asked. Made and used within one event loop."""

    def __init__(self, config: JudgeConfig, endpoint: Endpoint, *, checked: bool) -> None:
        """``checked``: an answer of another model is refused, as several endpoints are to be one
        judge."""
        self.endpoint, self._config = endpoint, config
        self.client = _client(endpoint)
        # the library loads on first use, which would hold up the first call behind its entry
        self._create = self.client.chat.completions.with_raw_response.create
        self.model = endpoint.deployment or endpoint.model or str(config.model)
        self._names = tuple({self.model, str(config.model)}) if checked else ()
        limits = endpoint.requests_per_minute, endpoint.tokens_per_minute
        self.quota = Quota(f"{config.model} {endpoint.name}", *limits)
        self.paused_until = 0.0
        """Event-loop time."""
        self.failures = 0
        """In a row."""
        self.proved = True
        """Whether it is known to take the key and to have the model."""

    async def call(self, messages: list[dict[str, Any]]) -> Outcome:
        """Send once; wait for the connection, then ``timeout_seconds`` for the answer.

        A server that sends a little now and then is late, too.
        """
        import openai

        settings: dict[str, Any] = {}
        if self._config.temperature is not None:
            settings["temperature"] = self._config.temperature
        seconds = self._config.timeout_seconds
        try:
            async with asyncio.timeout(seconds + min(seconds, CONNECT_S)):
                raw = await self._create(
                    model=self.model,
                    messages=messages,  # type: ignore[arg-type]
                    max_completion_tokens=self._config.max_tokens,
                    timeout=openai.Timeout(seconds, connect=CONNECT_S),
                    **settings,
                )
        except TimeoutError:
            return outcome.failed("late", outcome.LATE)
        except openai.APIStatusError as error:
            code = error.body.get("code") if isinstance(error.body, dict) else None
            return outcome.status(
                error.status_code, code, type(error).__name__, error.response.headers, self.endpoint
            )
        except openai.APIConnectionError as error:
            # by name: the library chooses the module that it comes from
            cause = type(error.__cause__).__name__
            if cause == "ReadTimeout":
                return outcome.failed("late", outcome.LATE)
            if cause in ("ConnectError", "ConnectTimeout", "PoolTimeout"):
                return outcome.failed("busy", type(error).__name__)
            return outcome.failed("broken", type(error).__name__)
        except openai.OpenAIError as error:
            return outcome.failed("broken", type(error).__name__)
        try:
            found = outcome.answer(raw.parse(), self._names)
        except (openai.OpenAIError, ValueError) as error:  # ValueError: no JSON
            found = outcome.failed("broken", type(error).__name__)
        if found.kind == "broken" and raw.headers.get("x-should-retry") == "false":
            return Outcome(found.reply, found.kind, again=False)
        return found


def _client(endpoint: Endpoint) -> AsyncOpenAI:
    import openai

    for name in ("httpx", "httpx2"):  # a line for every call
        logging.getLogger(name).setLevel(logging.WARNING)
    given: dict[str, Any] = {"api_key": key_of(endpoint), "max_retries": 0}
    if endpoint.kind == "azure":
        return openai.AsyncAzureOpenAI(
            azure_endpoint=endpoint.base_url,
            azure_deployment=endpoint.deployment,
            api_version=endpoint.api_version,
            **given,
        )
    return openai.AsyncOpenAI(base_url=endpoint.base_url, **given)
