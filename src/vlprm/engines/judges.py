"""Judges: the generator's own truth, or a model behind an OpenAI-compatible address.

Both reply in the judge's text protocol (sections, ``<analysis_k>`` up to the first wrong step,
``<conclusion>``), so the same parser reads both.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vlprm.config.labels import JudgeConfig
from vlprm.errors import UserError
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.qwen.inputs import Images
from vlprm.records import Message, Section
from vlprm.sources.matrix_text import first_error
from vlprm.steps import numbered

_HEADERS = {Section.PERCEPTION: "[Visual Elements]", Section.REASONING: "[Reasoning]"}


class TruthJudge:
    """Knows a generated puzzle's truth (``Sample.explanation``) and checks every step by it."""

    def judge(self, requests: Sequence[JudgeRequest]) -> list[JudgeReply]:
        """See ``protocols.Judge``. A question without an explanation is refused."""
        return [self._reply(request) for request in requests]

    def _reply(self, request: JudgeRequest) -> JudgeReply:
        if request.sample.explanation is None:
            return JudgeReply("", "refused", "the question carries no truth to judge by")
        wrong = first_error(request.sample.explanation, request.steps)
        lines: list[str] = []
        section = None
        for step, (part, number) in zip(request.steps, numbered(request.steps), strict=True):
            if part is not section:
                lines.append(_HEADERS[part])
                section = part
            said = "This step is wrong." if step.index == wrong else "This step is right."
            lines.append(f"<analysis_{number}>\n{said}\n</analysis_{number}>")
            if step.index == wrong:
                break
        outcome = "Correct" if wrong is None else "Incorrect"
        return JudgeReply("\n".join([*lines, f"<conclusion>\n{outcome}\n</conclusion>"]), "ok")


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
        from openai import OpenAI

        self._config, self._store = config, store
        self._client = OpenAI(api_key=key, base_url=config.base_url, max_retries=5)

    def judge(self, requests: Sequence[JudgeRequest]) -> list[JudgeReply]:
        """See ``protocols.Judge``. A request that fails is a reply with status "error"."""
        with ThreadPoolExecutor(self._config.concurrency or 1) as pool:
            return list(pool.map(self._ask, requests))

    def _ask(self, request: JudgeRequest) -> JudgeReply:
        from openai import OpenAIError

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
        except OpenAIError as error:
            return JudgeReply("", "error", type(error).__name__)
        choice = answer.choices[0]
        if choice.finish_reason == "content_filter" or choice.message.refusal:
            return JudgeReply(choice.message.content or "", "refused", "content filter or refusal")
        if choice.finish_reason == "length":
            return JudgeReply(choice.message.content or "", "error", "reply cut at max_tokens")
        return JudgeReply(choice.message.content or "", "ok")

    def _message(self, message: Message) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
        for ref in message.images:
            buffer = io.BytesIO()
            self._store.open(ref).save(buffer, format="PNG")
            url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
            parts.append({"type": "image_url", "image_url": {"url": url}})
        return {"role": message.role, "content": parts}
