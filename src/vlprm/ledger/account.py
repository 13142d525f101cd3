"""What the jobs of a run have asked of their endpoints in the last minute, and what was spent.

Jobs that ask at the same time share one SQLite file, so a limit holds for all of them. A call is
entered before it is sent, with the most that it can cost; what it did cost replaces that when its
answer is there. A call whose answer never came (a timeout, a kill) counts as paid in full: a budget
is never passed. The file holds no key and no text, and no result depends on it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlprm.errors import UserError

MINUTE = 60.0
"""Seconds in which a limit holds, wherever they begin."""
MARGIN = 1.03
"""A call that is sent a minute after another may arrive a little sooner."""
SHORT = 6
"""Requests are held to their share of a sixth of a minute as well: servers look at that, too."""
_BUSY_S = 60.0
_PRUNE_EVERY = 200
_TABLES = """
CREATE TABLE IF NOT EXISTS sent (
    id INTEGER PRIMARY KEY, endpoint TEXT, bill TEXT, at REAL, tokens INTEGER, cost REAL,
    open INTEGER, host TEXT, pid INTEGER);
CREATE INDEX IF NOT EXISTS by_endpoint ON sent (endpoint, at, tokens);
CREATE INDEX IF NOT EXISTS by_open ON sent (open, bill, cost);
CREATE TABLE IF NOT EXISTS bills (
    bill TEXT PRIMARY KEY, calls INTEGER, prompt INTEGER, reply INTEGER, cost REAL, lost REAL);
"""


@dataclass(frozen=True, slots=True)
class Quota:
    """An endpoint's limits for a minute; None: none."""

    endpoint: str
    requests: int | None
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A call that may be sent now."""

    number: int
    place: int
    """Of its endpoint among those that were offered."""


@dataclass(frozen=True, slots=True)
class Wait:
    """No endpoint has room before so many seconds; infinity: the budget has none."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Bill:
    """What a judge has cost."""

    calls: int = 0
    prompt: int = 0
    """Tokens, as the endpoints counted them."""
    reply: int = 0
    cost: float = 0.0
    """Of calls that were answered."""
    lost: float = 0.0
    """Of calls whose answer never came, at most."""
    open: float = 0.0
    """Of calls under way, at most."""

    @property
    def spent(self) -> float:
        """All of it: what a budget is compared with."""
        return self.cost + self.lost + self.open


class Account:
    """One run's account; without a file it is this process's own.

    Raises UserError when the file is no account or cannot be locked.
    """

    def __init__(self, path: Path | None, bill: str) -> None:
        self.path, self.bill = path, bill
        self._entries = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._told():
            self._file = sqlite3.connect(
                path or ":memory:", timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            # limits need not survive a power failure, and a kill leaves the system's cache
            self._file.execute("PRAGMA synchronous=OFF")
            self._file.executescript(_TABLES)
        with self._writing():
            self._bury()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def enter(
        self, quotas: Sequence[Quota], tokens: int, cost: float, budget: float | None
    ) -> Entry | Wait:
        """Enter a call at the endpoint with the largest share of its quota left.

        ``tokens``: of prompt and reply, ``cost``: money, both at most; ``budget``: None for none.
        Nothing is entered where no endpoint has room for it.
        """
        with self._writing():
            if budget is not None and self.bill_of(self.bill).spent + cost > budget:
                return Wait(float("inf"))
            now, soonest, best = time.time(), float("inf"), (-1.0, -1)
            for place, quota in enumerate(quotas):
                share, seconds = self._room(quota, tokens, now)
                if seconds > 0:
                    soonest = min(soonest, seconds)
                elif share > best[0]:
                    best = (share, place)
            if best[1] < 0:
                return Wait(soonest)
            self._entries += 1
            if self._entries % _PRUNE_EVERY == 0:
                old = now - 2 * MINUTE * MARGIN
                self._file.execute("DELETE FROM sent WHERE open = 0 AND at < ?", (old,))
            added = self._file.execute(
                "INSERT INTO sent (endpoint, bill, at, tokens, cost, open, host, pid)"
                " VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
                (quotas[best[1]].endpoint, self.bill, now, tokens, cost, platform.node(),
                 os.getpid()),
            )  # fmt: skip
            return Entry(int(added.lastrowid or 0), best[1])

    def answered(self, number: int, usage: tuple[int, int] | None, cost: float | None) -> None:
        """A call came back; ``usage``: tokens of prompt and reply, if the endpoint said them.

        ``cost`` None: it is not known, so the most counts.
        """
        prompt, reply = usage or (0, 0)
        with self._writing():
            taken = self._close(number, prompt + reply) if cost is None else cost
            if cost is not None:
                self._close(number, prompt + reply)
            self._add(1, prompt, reply, taken, 0.0)

    def refused(self, number: int) -> None:
        """The endpoint did not take the call: it costs nothing, and counts for the limits."""
        with self._writing():
            self._close(number, 0)

    def lost(self, number: int) -> None:
        """The answer never came: it may have been paid for."""
        with self._writing():
            self._add(0, 0, 0, 0.0, self._close(number, 0))

    def bill_of(self, bill: str) -> Bill:
        """What a judge has cost until now."""
        row = self._file.execute(
            "SELECT calls, prompt, reply, cost, lost FROM bills WHERE bill = ?", (bill,)
        ).fetchone()
        (under_way,) = self._file.execute(
            "SELECT total(cost) FROM sent WHERE open = 1 AND bill = ?", (bill,)
        ).fetchone()
        calls, prompt, reply, cost, lost = row or (0, 0, 0, 0.0, 0.0)
        return Bill(calls, prompt, reply, cost, lost, under_way)

    def _room(self, quota: Quota, tokens: int, now: float) -> tuple[float, float]:
        """Share of the quota that is left, and seconds until the call fits; 0: now."""
        share, wait = 1.0, 0.0
        if quota.requests is not None:
            for part in (1, SHORT):
                window, most = MINUTE * MARGIN / part, -(-quota.requests // part)
                times = self._since(quota.endpoint, now - window)
                if part == 1:
                    share = min(share, 1 - times[0] / most)
                if times[0] >= most:
                    wait = max(wait, self._until(quota.endpoint, now, window, times[0] - most))
        if quota.tokens is not None:
            window, needed = MINUTE * MARGIN, min(tokens, quota.tokens)
            used = self._since(quota.endpoint, now - window)[1]
            share = min(share, 1 - used / quota.tokens)
            if used + needed > quota.tokens:
                over = used + needed - quota.tokens
                wait = max(wait, self._freed(quota.endpoint, now, window, over))
        if quota.requests is None and quota.tokens is None:
            (under_way,) = self._file.execute(
                "SELECT count(*) FROM sent WHERE endpoint = ? AND open = 1", (quota.endpoint,)
            ).fetchone()
            share = 1 / (1 + under_way)
        return share, wait

    def _since(self, endpoint: str, at: float) -> tuple[int, int]:
        row = self._file.execute(
            "SELECT count(*), total(tokens) FROM sent WHERE endpoint = ? AND at > ?", (endpoint, at)
        ).fetchone()
        return int(row[0]), int(row[1])

    def _until(self, endpoint: str, now: float, window: float, skip: int) -> float:
        """Seconds until the entry after ``skip`` of the oldest ones leaves the window."""
        (at,) = self._file.execute(
            "SELECT at FROM sent WHERE endpoint = ? AND at > ? ORDER BY at LIMIT 1 OFFSET ?",
            (endpoint, now - window, skip),
        ).fetchone()
        return float(at) + window - now

    def _freed(self, endpoint: str, now: float, window: float, over: int) -> float:
        """Seconds until so many tokens have left the window."""
        for at, tokens in self._file.execute(
            "SELECT at, tokens FROM sent WHERE endpoint = ? AND at > ? ORDER BY at",
            (endpoint, now - window),
        ):
            over -= tokens
            if over <= 0:
                return float(at) + window - now
        return 0.0

    def _close(self, number: int, tokens: int) -> float:
        """A call is over; what was set aside for it. More tokens than were expected count."""
        row = self._file.execute("SELECT cost FROM sent WHERE id = ?", (number,)).fetchone()
        self._file.execute(
            "UPDATE sent SET open = 0, cost = 0, tokens = max(tokens, ?) WHERE id = ?",
            (tokens, number),
        )
        return float(row[0]) if row else 0.0

    def _add(self, calls: int, prompt: int, reply: int, cost: float, lost: float) -> None:
        self._file.execute(
            "INSERT INTO bills VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (bill) DO UPDATE SET"
            " calls = calls + excluded.calls, prompt = prompt + excluded.prompt,"
            " reply = reply + excluded.reply, cost = cost + excluded.cost,"
            " lost = lost + excluded.lost",
            (self.bill, calls, prompt, reply, cost, lost),
        )

    def _bury(self) -> None:
        """Calls of processes of this host that are gone: their answers never came."""
        rows = self._file.execute(
            "SELECT id, bill, cost, pid FROM sent WHERE open = 1 AND host = ?", (platform.node(),)
        ).fetchall()
        mine, bill = os.getpid(), self.bill
        for number, owner, _, pid in rows:
            if pid == mine or not _alive(pid):
                self.bill = owner
                self._add(0, 0, 0, 0.0, self._close(number, 0))
        self.bill = bill

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, which no other process sees half done."""
        with self._told():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(
                f"the account cannot be kept ({error})",
                where=str(self.path),
                cure="see that its folder can be written and its file system locks files; a file"
                " that is no account is moved away, and spending is counted anew",
            ) from error


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def read_bill(path: Path, bill: str) -> Bill:
    """A judge's bill, read beside jobs that may be asking; nothing where no account is kept."""
    if not path.is_file():
        return Bill()
    account = Account(path, bill)
    try:
        return account.bill_of(bill)
    finally:
        account.close()
