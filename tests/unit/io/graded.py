"""A small stage with parts, as the real ones are written; and runs of it that are stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.puzzles import questions
from vlprm.io import parts, tables
from vlprm.io.manifest import recorded
from vlprm.records import Grade, Sample

SAMPLES, _ = questions(11)
BATCHES = [SAMPLES[0:4], SAMPLES[4:8], SAMPLES[8:11]]


class Engine:
    """Grades questions; keeps how often it was started and which batches it was asked."""

    def __init__(self) -> None:
        self.starts = 0
        self.asked: list[int] = []
        self.before: Callable[[int], None] = lambda number: None

    def load(self) -> Engine:
        self.starts += 1
        return self

    def ask(self, engine: Engine, batch: Sequence[Sample]) -> list[Grade]:
        assert engine is self
        number = 1 + [b[0].id for b in BATCHES].index(batch[0].id)
        self.asked.append(number)
        self.before(number)
        return [Grade(rollout_id=item.id, correct=True, method="text") for item in batch]


def run(
    out: Path,
    engine: Engine,
    batches: Sequence[Sequence[Sample]] = tuple(BATCHES),
    **config: Any,
) -> bytes:
    """A stage as the real ones are written; returns its output's bytes."""
    with recorded("grade", 1, {"n": 1} | config, inputs=[], outputs=[out]) as counts:
        made = parts.made(counts, batches, Grade, "questions", load=engine.load, ask=engine.ask)
        counts["graded"] = tables.write(made, out, Grade)
    return out.read_bytes()


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


def names(out: Path) -> list[str]:
    folder = parts.folder_of(out)
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
