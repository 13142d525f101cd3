"""One job's ledger at work: batches in order, calls that are recorded, progress, deaths.

A local engine's answer may depend, in its last bits, on what else it is asked beside it. So one
call is the unit of byte equality: its key digests everything that decides it, all its requests
included, and its replies become one entry. What a call is made of must follow from records and
configuration alone, never from what the ledger holds.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pydantic import TypeAdapter

from vlprm.errors import UserError
from vlprm.io.atomic import remove_left_over
from vlprm.io.manifest import Counts
from vlprm.ledger.file import LedgerFile, ledger_of
from vlprm.ledger.running import DEATHS, AllFailedError, Watch
from vlprm.records import Record, Rollout, Sample

log = logging.getLogger(__name__)
T = TypeVar("T", Sample, Rollout)
R = TypeVar("R", bound=Record)
E = TypeVar("E")
A = TypeVar("A")

DOWN = 8
"""From this many requests on, a call without any answer means that the engine is down; fewer may
well be questions that cannot be drawn or judged, which is a value."""
_NAMED = 3


class Book:
    """What a stage asks while it makes one output."""

    def __init__(self, counts: Counts, what: str) -> None:
        self._stage, self._what = counts.stage, what
        self._counts = counts
        output = counts.outputs[0]
        self._file = LedgerFile(ledger_of(output), counts.stage)
        for path in counts.outputs:  # outputs are open while an engine is asked
            remove_left_over(path)
        self._watch = Watch(counts.stage, output)
        self._batch: Sequence[Sample] | Sequence[Rollout] = ()
        self._number = self._of = 0
        self._asked = False
        self._open: dict[str, str] = {}

    def work(
        self, batches: Sequence[Sequence[T]], make: Callable[[Sequence[T]], Sequence[R]]
    ) -> Iterator[R]:
        """The records of every batch, in order.

        ``make`` plans, asks recorded engines and folds. Raises UserError when requests are still
        open at the end: no output is written then, and the next run asks for these alone.
        """
        self._of, kept, done = len(batches), 0, 0
        total = sum(map(len, batches))
        began, ours = time.monotonic(), 0
        for self._number, self._batch in enumerate(batches, start=1):
            self._asked = False
            yield from make(self._batch)
            done += len(self._batch)
            if not self._asked:
                kept += 1
                continue
            ours += len(self._batch)
            rate = ours / max(time.monotonic() - began, 1e-9)
            log.info(
                "%s: batch %d of %d done, %d of %d %s, %.3g a second, %.0f min left",
                *(self._stage, self._number, self._of, done, total, self._what, rate),
                (total - done) / rate / 60,
            )
        self._counts.note = f"{kept} of {len(batches)} batches from the ledger"
        self._refuse_open()

    def replies(
        self,
        key: bytes,
        adapter: TypeAdapter[A],
        ids: Sequence[str],
        start: Callable[[], object],
        ask: Callable[[], A],
    ) -> A:
        """The replies of one call: those in the ledger, else what ``ask`` brings, recorded.

        ``ids``: the call's requests, for people. ``start`` has the engine stand before the call is
        noted: one that cannot start is no death of a call. Raises UserError when the call has ended
        its process :data:`~vlprm.ledger.running.DEATHS` times, and when none of its requests came
        back (``ask`` raises :class:`~vlprm.ledger.running.AllFailedError`).
        """
        body = self._file.get(key)
        if body is not None:
            return adapter.validate_json(body)
        with self.asking(key, ids, start):
            found = ask()
        self._file.append(key, adapter.dump_json(found))
        return found

    def holds(self, key: bytes) -> bool:
        """Is this call answered?"""
        return key in self._file

    def known(self, key: bytes, adapter: TypeAdapter[A]) -> A | None:
        """A recorded reply; None when there is none."""
        body = self._file.get(key)
        return None if body is None else adapter.validate_json(body)

    def record(self, key: bytes, adapter: TypeAdapter[A], reply: A) -> None:
        """Record the reply of one request as soon as it is there."""
        self._file.append(key, adapter.dump_json(reply))

    def leave_open(self, name: str, error: str) -> None:
        """A request that failed for now: asked again by the next run."""
        self._open[name] = error

    @contextlib.contextmanager
    def asking(self, key: bytes, ids: Sequence[str], start: Callable[[], object]) -> Iterator[None]:
        """While the block runs the engine has these requests.

        Raises UserError as :meth:`replies` does.
        """
        self._asked = True
        self._tell_the_dead(key.hex())
        start()
        try:
            with self._watch.over(self._number, self._of, key.hex(), tuple(ids)):
                yield
        except AllFailedError as error:
            raise UserError(
                f"all {len(ids)} requests of batch {self._number} of {self._of} failed"
                f" ({self._named()}), the first: {error}",
                where=self._stage,
                cure=f"see that the engine or its address answers, then rerun: {self._safe()}",
            ) from error

    @property
    def batch(self) -> int:
        """Number of the batch that is worked on, from 1."""
        return self._number

    def close(self) -> None:
        """Close the ledger."""
        self._file.close()

    def _tell_the_dead(self, key: str) -> None:
        last = self._watch.last(key)
        if last is None:
            return
        which = f"batch {self._number} of {self._of}"
        said = f" ({last.error})" if last.error else ""
        if last.attempt >= DEATHS:
            raise UserError(
                f"{which} has ended its process {last.attempt} times{said}: {self._named()}",
                where=f"{self._stage}, {self._watch.file}",
                cure=f"see the job's log, its memory, and these {self._what} (the file lists all"
                f" their ids); when the cause is gone, delete the file and rerun: {self._safe()}",
            )
        log.warning(
            "%s: the last run died in %s with %s%s; attempt %d of %d",
            *(self._stage, which, self._named(), said, last.attempt + 1, DEATHS),
        )

    def _refuse_open(self) -> None:
        if not self._open:
            return
        names = list(self._open)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise UserError(
            f"{len(names)} requests have no answer yet: {', '.join(names[:_NAMED])}{more}"
            f" (the first: {self._open[names[0]]})",
            where=f"{self._stage}, {self._file.path}",
            cure="rerun: it asks for these alone; the others are in the ledger. To go on without"
            " them, set labels.judge.errors: final",
        )

    def _named(self) -> str:
        """``256 questions (a/0 … a/255)``."""
        batch = self._batch
        return f"{len(batch)} {self._what} ({batch[0].id} … {batch[-1].id})"

    def _safe(self) -> str:
        return f"{len(self._file)} answered calls are in the ledger and are not made again"


@contextlib.contextmanager
def opened(counts: Counts, what: str) -> Iterator[Book]:
    """The ledger of the stage that ``io.manifest.recorded`` runs; ``what``: a batch's items."""
    book = Book(counts, what)
    try:
        yield book
    finally:
        book.close()


def refuse_all_failed(errors: Sequence[str | None]) -> None:
    """Raise :class:`AllFailedError` when every one of at least :data:`DOWN` requests failed.

    ``errors``: one per request, None for one that came back.
    """
    failed = [error for error in errors if error is not None]
    if len(errors) >= DOWN and len(failed) == len(errors):
        raise AllFailedError(failed[0])


def loaded(load: Callable[[], E]) -> E:
    """Start a stage's engine: the one place where that happens, after all that needs none."""
    started = time.monotonic()
    engine = load()
    log.info("engine ready after %.1f s", time.monotonic() - started)
    return engine
