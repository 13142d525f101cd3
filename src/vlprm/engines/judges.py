"""A judge: a model behind OpenAI-compatible addresses, one or several."""

from __future__ import annotations

import asyncio
import base64
import io
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vlprm.config.access import Access
from vlprm.config.labels import JudgeConfig
from vlprm.engines.chat import doors
from vlprm.engines.chat.dispatch import Dispatch, no_money_left
from vlprm.engines.chat.line import Line, key_of
from vlprm.engines.chat.sizes import Sizes
from vlprm.errors import UserError
from vlprm.families.family import Images
from vlprm.ledger.account import Account
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import ImageRef, Message

_IMAGES = 64
"""Encoded images that are kept: rollouts of one question follow each other."""
_ALL = None
"""In the queue behind the last reply."""


class ChatJudge:
    """A chat model that is shown image, problem and solution.

    Raises UserError when a key is not in the environment, two endpoints share one, a limit is
    smaller than one call, or calls cost money and nobody has said that they may.
    """

    def __init__(
        self, config: JudgeConfig, store: Images, access: Access | None = None, *, yes: bool = False
    ) -> None:
        access = access or Access()
        config = config.model_copy(
            update={"endpoints": access.endpoints, "late_tries": access.late_tries}
        )
        self._config, self._store, self._access = config, store, access
        if not config.asked_at:
            raise UserError(
                "no address is given", where="labels.judge", cure="give base_url or endpoints"
            )
        _check_keys(config)
        _check_money(config, access, yes=yes)
        self._account = Account(Path(access.account) if access.account else None, access.bill)
        self._sizes = Sizes()
        self._looked = not access.endpoints
        self._encoded: OrderedDict[str, str] = OrderedDict()

    def judge(self, requests: Sequence[JudgeRequest]) -> Iterator[tuple[int, JudgeReply]]:
        """See ``protocols.Judge``; ``concurrency`` requests are under way at a time.

        Raises UserError when an address refuses the key or does not know the model, when an image
        cannot be read, and when the budget does not pay for what is asked. Raises AllFailedError
        when the first calls all waited in vain.
        """
        self._check_images(requests)
        self._check_budget(requests)
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            queue: asyncio.Queue[tuple[int, JudgeReply] | None] = asyncio.Queue()
            serving = loop.create_task(self._serve(requests, queue))
            try:
                found = loop.run_until_complete(queue.get())
                while found is not _ALL:
                    yield found
                    # what has come is recorded before anything more is sent or read: a kill loses
                    # no more answers than there are calls under way
                    waiting = not queue.empty()
                    found = queue.get_nowait() if waiting else loop.run_until_complete(queue.get())
                loop.run_until_complete(serving)
            finally:
                serving.cancel()

    async def _serve(
        self,
        requests: Sequence[JudgeRequest],
        queue: asyncio.Queue[tuple[int, JudgeReply] | None],
    ) -> None:
        several = bool(self._access.endpoints)
        lines = [Line(self._config, item, checked=several) for item in self._config.asked_at]
        try:
            if not self._looked:
                await doors.look_at(lines)
                self._looked = all(line.proved for line in lines)
            dispatch = Dispatch(
                self._config, self._access, lines, self._account, self._sizes, self._body,
                queue.put_nowait,
            )  # fmt: skip
            await dispatch.serve(requests)
        finally:
            for line in lines:
                await line.client.close()
            queue.put_nowait(_ALL)

    async def _body(self, request: JudgeRequest) -> list[dict[str, Any]]:
        return [await self._message(message) for message in request.messages]

    async def _message(self, message: Message) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
        for ref in message.images:
            if ref.sha256 not in self._encoded:
                self._encoded[ref.sha256] = await asyncio.to_thread(self._url, ref)
                if len(self._encoded) > _IMAGES:
                    self._encoded.popitem(last=False)
            parts.append({"type": "image_url", "image_url": {"url": self._encoded[ref.sha256]}})
        return {"role": message.role, "content": parts}

    def _url(self, ref: ImageRef) -> str:
        buffer = io.BytesIO()
        self._store.open(ref).save(buffer, format="PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()

    def _check_images(self, requests: Sequence[JudgeRequest]) -> None:
        """Every image is read once before anything is paid for."""
        refs = {ref.sha256: (ref, item) for item in requests for ref in _shown(item)}
        for ref, item in refs.values():
            try:
                self._store.open(ref)
            except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises
                raise UserError(
                    f"image {ref.sha256[:12]}… of {item.sample.id} cannot be read ({error})",
                    where="the image pack beside the samples",
                    cure="rerun the prepare stage of this data set; no call was made for it",
                ) from error

    def _check_budget(self, requests: Sequence[JudgeRequest]) -> None:
        """A budget that does not even pay for the prompts is refused before the first call."""
        price, most = self._access.price, self._access.most
        if price is None or most is None or not requests:
            return
        prompts = sum(self._sizes.guess(item) for item in requests)
        least = price.of(prompts, 0)
        first = price.of(self._sizes.guess(requests[0]), self._config.max_tokens or 0)
        if self._account.bill_of(self._account.bill).spent + max(least, first) > most:
            raise no_money_left(self._access, self._account, len(requests))


def _shown(request: JudgeRequest) -> Iterator[ImageRef]:
    return (ref for message in request.messages for ref in message.images)


def _check_keys(config: JudgeConfig) -> None:
    """Every key is there, and no endpoint is the same as another but for a variable's name."""
    seen: dict[tuple[str, str, str], str] = {}
    for item in config.asked_at:
        same = (item.base_url.rstrip("/"), item.deployment or item.model or "", key_of(item))
        if same in seen:
            raise UserError(
                f"{seen[same]} and {item.name} are one endpoint: their keys are equal",
                where="labels.judge.endpoints",
                cure="list it once, or export another key",
            )
        seen[same] = item.name
        if item.tokens_per_minute is not None and (config.max_tokens or 0) >= (
            item.tokens_per_minute
        ):
            raise UserError(
                f"{item.tokens_per_minute} tokens a minute at {item.name}, and one reply may have"
                f" {config.max_tokens} (max_tokens)",
                where="labels.judge.endpoints.tokens_per_minute",
                cure="leave the endpoint out, or lower labels.judge.max_tokens",
            )


def _check_money(config: JudgeConfig, access: Access, *, yes: bool) -> None:
    """Calls that cost money are made when somebody has said how much they may cost."""
    if access.budget is not None and access.price is None:
        raise UserError(
            f"there is a budget, and no price of {config.model}",
            where="labels.judge.budget",
            cure=f"add prices: {{{config.model}: {{input: …, output: …, currency: USD}}}}",
        )
    if access.paid and access.budget is None and not yes:
        raise UserError(
            f"calls to {config.model} cost money, and no budget is given",
            where="labels.judge.budget",
            cure="`vlprm plan` says what they will cost; then set a number or unlimited"
            " (by hand, `vlprm judge --yes`)",
        )
