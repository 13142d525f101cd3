"""Parts: what is done of a stage's output, one file a batch beside it, so that a kill loses little.

``<output>.parts/`` holds ``0007-<key>-<content>.parquet``, the records of batch 7. The key is a
digest of everything that decides them: stage and version, slice, models, prompts, packages,
platform, and the batch's input records. The content is the digest of the file itself. So a
part is read again only where it is the answer to the same question, and whole. A batch is asked
at once and in a fixed order, because on a GPU what an engine returns may depend on what else it
is asked beside it: the batch is the unit of byte equality.

``running.json`` names the batch that an engine has now. Where a new start finds it, the process
died over that batch (aborted, out of memory, killed without warning); after the third death the
batch is refused. A SIGTERM or Ctrl-C is no death.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from vlprm.errors import UserError
from vlprm.io import tables
from vlprm.io.manifest import Counts, sha256_of
from vlprm.io.running import DEATHS, AllFailedError, Watch
from vlprm.records import Record, Rollout, Sample

log = logging.getLogger(__name__)
T = TypeVar("T", Sample, Rollout)
R = TypeVar("R", bound=Record)
E = TypeVar("E")

SUFFIX = ".parts"
DOWN = 8
"""From this many requests on, a batch without any answer means that the engine is down; fewer may
well be questions that cannot be drawn or judged, which is a value."""
_DIGITS = 16
_PART = re.compile(rf"(\d{{4,}}-[0-9a-f]{{{_DIGITS}}})-([0-9a-f]{{{_DIGITS}}})\.parquet")
_UNFINISHED = "unfinished.parquet"


@dataclass(frozen=True, slots=True)
class Parts(Generic[R]):
    """All batches of an output, done: iterating reads their records off the disk, in order."""

    files: tuple[Path, ...]
    record: type[R]

    def __iter__(self) -> Iterator[R]:
        for file in self.files:
            yield from tables.read(file, self.record)


def made(
    counts: Counts,
    batches: Sequence[Sequence[T]],
    record: type[R],
    what: str,
    *,
    load: Callable[[], E],
    ask: Callable[[E, Sequence[T]], Sequence[R]],
    reads: Callable[[T], Sequence[Record]] | None = None,
) -> Parts[R]:
    """Have the records of every batch on disk: take those that are there, ask for the others.

    ``counts``: what :func:`~vlprm.io.manifest.recorded` yields; the folder of parts is removed
    once its manifest is written. ``what``: the plural of a batch's items, for people. ``load``
    starts the engine, called only if a batch is missing; ``ask`` answers one batch, and what it
    answers must not depend on the batches before it: a rerun has not asked those. ``reads``: all
    records that an answer depends on (by default the item alone).

    Raises UserError when a batch has ended its process :data:`DEATHS` times, and when no request
    of a batch came back (``ask`` tells by :func:`refuse_all_failed`).
    """
    shelf = _Shelf(counts, record, batches, what, reads)
    found = shelf.find()
    missing = [number for number in range(1, len(batches) + 1) if number not in found]
    counts.note = f"{len(found)} of {len(batches)} batches from disk"
    counts.when_recorded.append(shelf.remove)
    if missing:
        shelf.tell_the_dead(missing)
        engine = loaded(load)
        started, asked = time.monotonic(), 0
        for number in missing:
            found[number] = shelf.keep(number, shelf.answer(number, ask, engine))
            asked += len(batches[number - 1])
            shelf.tell(number, found, asked / max(time.monotonic() - started, 1e-9))
    return Parts(tuple(found[number] for number in sorted(found)), record)


def folder_of(output: Path) -> Path:
    """Where the parts of an output lie while it is made (the first, for a stage with several)."""
    return output.with_name(output.name + SUFFIX)


def loaded(load: Callable[[], E]) -> E:
    """Start a stage's engine: the one place where that happens, after all that needs none."""
    started = time.monotonic()
    engine = load()
    log.info("engine ready after %.1f s", time.monotonic() - started)
    return engine


def refuse_all_failed(errors: Sequence[str | None]) -> None:
    """Raise :class:`AllFailedError` when every one of at least :data:`DOWN` requests failed.

    ``errors``: one a request, None for one that came back.
    """
    failed = [error for error in errors if error is not None]
    if len(errors) >= DOWN and len(failed) == len(errors):
        raise AllFailedError(failed[0])


class _Shelf(Generic[T, R]):
    """The folder of parts of one output."""

    def __init__(
        self,
        counts: Counts,
        record: type[R],
        batches: Sequence[Sequence[T]],
        what: str,
        reads: Callable[[T], Sequence[Record]] | None,
    ) -> None:
        self._stage, self._record, self._what = counts.stage, record, what
        self._batches: Sequence[Sequence[T]] = batches
        self.folder = folder_of(counts.outputs[0])
        self._watch = Watch(counts.stage, self.folder)
        start = hashlib.sha256(f"{counts.identity}\n{tables.schema_of(record)}".encode())
        self._keys = [_key(start, batch, reads) for batch in batches]

    def find(self) -> dict[int, Path]:
        """Whole parts of these very batches, by number; all others are removed."""
        wanted = {self._name(number): number for number in range(1, len(self._batches) + 1)}
        found: dict[int, Path] = {}
        stale, damaged = 0, []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            match = _PART.fullmatch(path.name)
            if match is None:
                if path.name.endswith(".tmp") or path.name == _UNFINISHED:
                    path.unlink(missing_ok=True)
            elif match[1] not in wanted:
                stale += 1
                path.unlink()
            elif sha256_of(path)[:_DIGITS] != match[2]:
                damaged.append(path.name)
                path.unlink()
            else:
                found[wanted[match[1]]] = path
        if stale:
            log.info("%s: removed %d parts of other inputs or settings", self._stage, stale)
        if damaged:
            log.warning("%s: damaged, done again: %s", self._stage, ", ".join(damaged))
        if found:
            log.info("%s: %d of %d batches are on disk", self._stage, len(found), len(wanted))
        return found

    def tell_the_dead(self, missing: Sequence[int]) -> None:
        """Say over which batch the last run died, if it did.

        Raises UserError when that batch has ended its process too often.
        """
        last = self._watch.last([self._keys[number - 1] for number in missing])
        if last is None:
            return
        which = f"batch {last.batch} of {last.of}"
        named = self._named(self._batches[self._keys.index(last.key)])
        said = f" ({last.error})" if last.error else ""
        if last.attempt >= DEATHS:
            raise UserError(
                f"{which} has ended its process {last.attempt} times{said}: {named}",
                where=f"{self._stage}, {self._watch.file}",
                cure=f"see the job's log, its memory, and these {self._what} (the file lists all"
                " their ids); when the cause is gone, delete the file and rerun: "
                + self._safe(len(self._batches) - len(missing)),
            )
        log.warning(
            "%s: the last run died in %s with %s%s; attempt %d of %d",
            *(self._stage, which, named, said, last.attempt + 1, DEATHS),
        )

    def answer(
        self, number: int, ask: Callable[[E, Sequence[T]], Sequence[R]], engine: E
    ) -> Sequence[R]:
        """The records of one batch, asked for while ``running.json`` names it."""
        key, batch, of = self._keys[number - 1], self._batches[number - 1], len(self._batches)
        try:
            with self._watch.over(number, of, key, tuple(item.id for item in batch)):
                return ask(engine, batch)
        except AllFailedError as error:
            raise UserError(
                f"all requests of batch {number} of {of} failed ({self._named(batch)}),"
                f" the first: {error}",
                where=self._stage,
                cure="see that the engine or its address answers, then rerun: "
                + self._safe(sum(1 for path in self.folder.iterdir() if _PART.match(path.name))),
            ) from error

    def keep(self, number: int, records: Sequence[R]) -> Path:
        """Write a batch's part: there whole, under a name that says so, or not there."""
        rough = self.folder / _UNFINISHED
        tables.write(records, rough, self._record)
        name = f"{self._name(number)}-{sha256_of(rough)[:_DIGITS]}.parquet"
        return rough.replace(self.folder / name)

    def tell(self, number: int, found: dict[int, Path], rate: float) -> None:
        """One line a batch: how far it is, how fast, how long it will take."""
        sizes = [len(batch) for batch in self._batches]
        done = sum(sizes[number - 1] for number in found)
        log.info(
            "%s: batch %d of %d done, %d of %d %s, %.3g a second, %.0f min left",
            *(self._stage, number, len(sizes), done, sum(sizes), self._what, rate),
            (sum(sizes) - done) / rate / 60,
        )

    def remove(self) -> None:
        """The output and its manifest are there: the parts have done their work."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _name(self, number: int) -> str:
        return f"{number:04}-{self._keys[number - 1]}"

    def _named(self, batch: Sequence[T]) -> str:
        """``256 questions (a/0 … a/255)``."""
        return f"{len(batch)} {self._what} ({batch[0].id} … {batch[-1].id})"

    def _safe(self, count: int) -> str:
        return f"{count} of {len(self._batches)} batches are safe on disk and are not asked again"


def _key(
    start: hashlib._Hash, batch: Sequence[T], reads: Callable[[T], Sequence[Record]] | None
) -> str:
    digest = start.copy()
    for item in batch:
        for record in reads(item) if reads else (item,):
            digest.update(record.model_dump_json().encode() + b"\n")
    return digest.hexdigest()[:_DIGITS]
