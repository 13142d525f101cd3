"""Which call is sent when: every endpoint within its limits, failures waited out, money counted.

One coroutine decides; calls run beside it. Order and timing reach no result: replies are told apart
by the place of their request.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlprm.config.access import Access
from vlprm.config.labels import JudgeConfig
from vlprm.engines.chat import outcome
from vlprm.engines.chat.line import Line
from vlprm.engines.chat.outcome import Outcome
from vlprm.engines.chat.sizes import Sizes
from vlprm.errors import UserError
from vlprm.ledger.account import Account, Entry, Wait
from vlprm.ledger.book import DOWN
from vlprm.ledger.running import AllFailedError
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.seeds import seed_for

log = logging.getLogger(__name__)
TRIES = 6
"""Of a call that is not taken (429, 5xx, no connection) or breaks off."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
"""Before the second try and at most: doubled from try to try, less up to a half by jitter."""
PATIENCE_S = 600.0
"""An endpoint that asks to wait longer is told that the call stays open."""
IN_A_ROW = 4
"""From so many failures in a row on, an endpoint rests while others are asked."""
TOLD_EVERY_S = 30.0
_STEPS = 5
"""Turns of the loop in which a call is on its way: it was entered now, so it is to be sent now."""
_POLL_S = 1.0
"""Other jobs may free what this one waits for."""

Encode = Callable[[JudgeRequest], Coroutine[Any, Any, list[dict[str, Any]]]]


@dataclass(order=True, slots=True)
class _Call:
    ready: float
    place: int
    tries: int = field(default=0, compare=False)
    late: int = field(default=0, compare=False)
    body: list[dict[str, Any]] | None = field(default=None, compare=False)


class Dispatch:
    """Sends requests; ``put`` gets every reply with the place of its request, as it comes."""

    def __init__(
        self,
        config: JudgeConfig,
        access: Access,
        lines: Sequence[Line],
        account: Account,
        sizes: Sizes,
        encode: Encode,
        put: Callable[[tuple[int, JudgeReply]], None],
    ) -> None:
        self._config, self._access, self._lines = config, access, lines
        self._account, self._sizes, self._encode, self._put = account, sizes, encode, put
        self._requests: Sequence[JudgeRequest] = ()
        self._waiting: list[_Call] = []
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._fatal: Exception | None = None
        self._asked = self._answered = self._failed = 0
        self._late = self._heard = False
        self._told = self._loop.time()

    async def serve(self, requests: Sequence[JudgeRequest]) -> None:
        """Every request is answered or said to have failed.

        Raises UserError when nothing more can be answered (a refused key, no money left), and
        AllFailedError when the first calls all waited in vain; calls under way are waited for
        first, since they are paid for.
        """
        self._requests = requests
        self._waiting = [_Call(0.0, place) for place in range(len(requests))]
        try:
            while self._waiting or self._running:
                self._changed.clear()
                seconds = await self._next()
                if seconds is None:
                    continue
                if not self._running and self._fatal is None and self._hangs():
                    self._fatal = AllFailedError(
                        f"{outcome.LATE}; none of {self._asked} calls had one"
                    )
                if not self._running and self._fatal is not None:
                    raise self._fatal
                await self._pause(seconds)
            if self._fatal is not None:  # of the last call
                raise self._fatal
            assert self._answered + self._failed == len(requests), "every request has its reply"
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _next(self) -> float | None:
        """Send one call; or seconds to wait for, unless something changes before."""
        self._tell()
        if self._fatal is not None or self._hangs() or not self._waiting:
            return math.inf
        if len(self._running) >= (self._config.concurrency or 1):
            return math.inf
        now = self._loop.time()
        call = self._waiting[0]
        if call.ready > now:
            return call.ready - now
        lines = self._open(now)
        if isinstance(lines, float):
            return lines
        if call.body is None:
            call.body = await self._encode(self._requests[call.place])
            return None  # what was open may not be any more
        entered = self._enter(self._requests[call.place], lines)
        if isinstance(entered, Wait):
            return self._without_money() if math.isinf(entered.seconds) else entered.seconds
        heapq.heappop(self._waiting)
        task = asyncio.create_task(self._send(call, lines[entered.place], entered.number))
        self._asked += 1
        self._running.add(task)
        task.add_done_callback(self._ended)
        for _ in range(_STEPS):
            await asyncio.sleep(0)
        return None

    def _open(self, now: float) -> list[Line] | float:
        """Endpoints that may be asked now; else seconds until one may."""
        unproved = [line for line in self._lines if not line.proved]
        if unproved and self._running:
            return math.inf  # the first call of such an endpoint goes alone
        lines = [line for line in unproved or self._lines if line.paused_until <= now]
        if lines:
            return lines
        return min(line.paused_until for line in unproved or self._lines) - now

    def _enter(self, request: JudgeRequest, lines: Sequence[Line]) -> Entry | Wait:
        prompt, reply = self._sizes.guess(request), self._config.max_tokens or 0
        price = self._access.price
        cost = price.of(prompt, reply) if price else 0.0
        quotas = [line.quota for line in lines]
        return self._account.enter(quotas, prompt + reply, cost, self._access.most)

    def _without_money(self) -> float:
        """Calls under way set the most aside; when they are back there may be room again, those of
        other jobs included."""
        if self._running:
            return math.inf
        if self._account.bill_of(self._account.bill).open:
            return _POLL_S
        self._fatal = no_money_left(self._access, self._account, len(self._waiting))
        return 0.0

    async def _send(self, call: _Call, line: Line, number: int) -> None:
        assert call.body is not None
        try:
            found = await line.call(call.body)
        except asyncio.CancelledError:
            self._account.lost(number)
            raise
        call.body = None
        self._count(line, number, call, found)
        if found.kind == "fatal":
            self._fatal = self._fatal or found.fatal
            return
        line.proved = True
        self._late |= found.kind == "late"
        self._heard |= found.kind != "late"
        if found.kind == "answered":
            self._answered += 1
            self._put((call.place, found.reply))
        elif not self._again(call, line, found):
            self._failed += 1
            self._put((call.place, found.reply))

    def _count(self, line: Line, number: int, call: _Call, found: Outcome) -> None:
        if found.kind in ("busy", "fatal"):
            self._account.refused(number)
        elif found.kind == "answered":
            usage, price = found.reply.usage, self._access.price
            cost = price.of(*usage) if price and usage else None if price else 0.0
            if usage is None and found.reply.status == "refused":
                cost = 0.0  # a filter that lets no model see the prompt
            self._account.answered(number, usage, cost)
            if usage:
                self._sizes.learn(self._requests[call.place], usage[0])
        else:
            self._account.lost(number)
        line.failures = 0 if found.kind in ("answered", "late") else line.failures + 1

    def _again(self, call: _Call, line: Line, found: Outcome) -> bool:
        """Line the call up once more, unless it has had its tries."""
        now = self._loop.time()
        call.tries += 1
        call.late += found.kind == "late"
        seconds = self._jitter(call, FIRST_WAIT_S * 2.0 ** (call.tries - 1))
        if found.wait is not None and found.wait <= PATIENCE_S:
            line.paused_until = max(line.paused_until, now + found.wait)
            if len(self._lines) == 1:
                seconds = max(seconds, found.wait)
        elif line.failures >= IN_A_ROW and len(self._lines) > 1:
            rest = self._jitter(call, FIRST_WAIT_S * 2.0 ** (line.failures - IN_A_ROW))
            line.paused_until = max(line.paused_until, now + rest)
        had = call.late >= self._config.late_tries if found.kind == "late" else False
        long = found.wait is not None and found.wait > PATIENCE_S
        if had or long or not found.again or call.tries >= TRIES:
            return False
        call.ready = now + seconds
        heapq.heappush(self._waiting, call)
        return True

    def _jitter(self, call: _Call, seconds: float) -> float:
        """Between a half and the whole, drawn for the request and the try."""
        name = self._requests[call.place].id
        share = seed_for(0, "wait", name, call.tries) % 1000 / 1000
        return min(seconds, LONGEST_WAIT_S) * (0.5 + share / 2)

    def _hangs(self) -> bool:
        """Does every endpoint hang? Then calls that wait for a place are not made: each would wait
        as long again. Known when one waited in vain, enough were made, and none has come back."""
        return self._late and not self._heard and self._asked >= DOWN

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal = self._fatal or (error if isinstance(error, Exception) else None)
        self._changed.set()

    async def _pause(self, seconds: float) -> None:
        if not self._running:
            await asyncio.sleep(min(max(seconds, 0.001), _POLL_S))
            return
        try:
            async with asyncio.timeout(min(max(seconds, 0.001), TOLD_EVERY_S)):
                await self._changed.wait()
        except TimeoutError:
            return

    def _tell(self) -> None:
        """Progress and spending, now and then."""
        now = self._loop.time()
        if now - self._told < TOLD_EVERY_S:
            return
        self._told = now
        log.info(
            "%s: %d of %d answered, %d failed, %d under way%s",
            *(self._config.name, self._answered, len(self._requests), self._failed),
            *(len(self._running), spent_so_far(self._access, self._account)),
        )


def spent_so_far(access: Access, account: Account) -> str:
    """``, spent 1.20 of 50.00 USD``; nothing where calls cost nothing."""
    if access.price is None or not access.paid:
        return ""
    of = "" if access.most is None else f" of {access.most:.2f}"
    spent = account.bill_of(account.bill).spent
    return f", spent {spent:.2f}{of} {access.price.currency}"


def no_money_left(access: Access, account: Account, calls: int) -> UserError:
    """The message of a budget that does not pay for the next call."""
    currency = access.price.currency if access.price else ""
    bill = account.bill_of(account.bill)
    lost = f", {bill.lost:.2f} of it for calls whose answer never came" if bill.lost else ""
    return UserError(
        f"the budget of {access.most:.2f} {currency} does not pay for the next call;"
        f" {bill.spent:.2f} {currency} spent{lost}, {calls} calls still to be made",
        where="labels.judge.budget",
        cure="raise it and rerun: what is answered is in the ledger and is not asked again;"
        " `vlprm plan` says what is still to be paid",
    )
