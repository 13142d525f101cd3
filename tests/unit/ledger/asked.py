"""A small stage over a ledger, as the real ones are written; and runs of it that are stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.unit.puzzles import questions
from vlprm.io import parquet
from vlprm.io.manifest import recorded
from vlprm.ledger.book import opened
from vlprm.ledger.file import LedgerFile, ledger_of
from vlprm.records import Grade, Sample

SAMPLES, _ = questions(11)
BATCHES = [SAMPLES[0:4], SAMPLES[4:8], SAMPLES[8:11]]
TEXTS = TypeAdapter(list[str])


class Engine:
    """Answers questions; keeps how often it was started and which batches it was asked."""

    def __init__(self) -> None:
        self.starts = 0
        self.asked: list[int] = []
        self.before: Callable[[int], None] = lambda number: None

    def load(self) -> None:
        self.starts = 1

    def ask(self, batch: Sequence[Sample]) -> list[str]:
        assert self.starts == 1
        number = 1 + [b[0].id for b in BATCHES].index(batch[0].id)
        self.asked.append(number)
        self.before(number)
        return [item.id for item in batch]


def run(out: Path, engine: Engine, batches: Sequence[Sequence[Sample]] = tuple(BATCHES)) -> bytes:
    """A stage as the real ones are written; returns its output's bytes."""
    with (
        recorded("grade", 1, {"n": 1}, inputs=[], outputs=[out]) as counts,
        opened(counts, "questions") as book,
    ):

        def make(batch: Sequence[Sample]) -> list[Grade]:
            found = book.replies(
                name(batch), TEXTS, [item.id for item in batch], engine.load,
                lambda: engine.ask(batch),
            )  # fmt: skip
            return [Grade(rollout_id=item, correct=True, method="text") for item in found]

        counts["graded"] = parquet.write(book.work(batches, make), out, Grade)
    return out.read_bytes()


def name(batch: Sequence[Sample]) -> bytes:
    return batch[0].id.encode()[-16:].rjust(16)


def stop_in(number: int, error: type[BaseException]) -> Callable[[int], None]:
    def before(asked: int) -> None:
        if asked == number:
            raise error("stopped")

    return before


def stopped(out: Path, number: int, error: type[BaseException] = KeyboardInterrupt) -> None:
    """A run that ends while the engine has batch ``number``."""
    engine = Engine()
    engine.before = stop_in(number, error)
    with pytest.raises(error):
        run(out, engine)
    assert not out.exists()


def answered(out: Path) -> int:
    """How many calls the ledger of an output holds."""
    path = ledger_of(out)
    if not path.exists():
        return 0
    ledger = LedgerFile(path, "grade")
    try:
        return len(ledger)
    finally:
        ledger.close()
