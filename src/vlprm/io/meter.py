"""What a stage costs: start-up and work separately, peak memory of host and cards.

``io.manifest.recorded`` starts a meter for a stage's body. Engines and trainings tell it when they
are loaded. Nothing here reaches a result: the figures go into the timing record.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vlprm.io.cards import Cards

PROC = Path("/proc")
CARD_SECONDS, HOST_EVERY = 0.5, 4
"""Cards are asked every half second, the host's processes every fourth time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The figures of ``provenance.Timing`` of the same names."""

    startup_seconds: float
    work_seconds: float
    peak_host_gb: float
    peak_card_gb: float | None
    notes: dict[str, float]


@dataclass(slots=True)
class Meter:
    """Clock and memory of one stage."""

    cards: Cards | None
    began: float = field(default_factory=lambda: time.monotonic() - _age())
    loaded: float = field(default_factory=time.monotonic)
    ended: float | None = None
    aside: float = 0.0
    saved: float = 0.0
    notes: dict[str, float] = field(default_factory=dict)
    peak_host: int = 0
    peak_card: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Sample until told to stop."""
        count = 0
        while True:
            if count % HOST_EVERY == 0:
                self.peak_host = max(self.peak_host, tree_bytes(_root()))
            if self.cards is not None:
                self.peak_card = max(self.peak_card or 0, self.cards.used())
            count += 1
            if self.stop.wait(CARD_SECONDS):
                return

    def cost(self) -> Cost:
        """What it has cost until now."""
        now = time.monotonic()
        ended = self.ended or now
        # ru_maxrss is in KiB on Linux
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return Cost(
            startup_seconds=round(self.loaded - self.began + now - ended, 3),
            work_seconds=round(max(0.0, ended - self.loaded - self.aside - self.saved), 3),
            peak_host_gb=round(max(self.peak_host, own, children) / 1e9, 3),
            peak_card_gb=None if self.peak_card is None else round(self.peak_card / 1e9, 2),
            notes=dict(self.notes),
        )


_running: list[Meter] = []
"""The meter of the stage that this process runs; a stage is one process."""


@contextlib.contextmanager
def metered(*, on_cards: bool) -> Iterator[Meter]:
    """Measure the body."""
    meter = Meter(Cards.visible() if on_cards else None)
    thread = threading.Thread(target=meter.watch, name="meter", daemon=True)
    _running.append(meter)
    thread.start()
    try:
        yield meter
    finally:
        meter.stop.set()
        thread.join()
        _running.remove(meter)


def engine_ready() -> None:
    """The work begins; everything before was start-up. The last call counts."""
    for meter in _running:
        meter.loaded = time.monotonic()


def work_done() -> None:
    """The work has ended. What follows (saving a checkpoint) does not grow with the work."""
    for meter in _running:
        meter.ended = time.monotonic()


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """The body's seconds do not count as work: a rehearsal repeats some to fill a batch."""
    began = time.monotonic()
    try:
        yield
    finally:
        for meter in _running:
            meter.aside += time.monotonic() - began


def saved_in_full_batches(seconds: float) -> None:
    """How much of the work would be saved where batches are full."""
    for meter in _running:
        meter.saved += seconds


def note(name: str, value: float) -> None:
    """A figure for the report of a rehearsal."""
    for meter in _running:
        meter.notes[name] = value


def tree_bytes(root: int) -> int:
    """Resident bytes of a process and all its descendants; pages they share count for each."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        with contextlib.suppress(OSError, IndexError, ValueError):
            pages = int((PROC / str(process) / "statm").read_text().split()[1])
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def _root() -> int:
    """This process; under torchrun its parent, which started the others of this node."""
    return os.getppid() if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > 1 else os.getpid()


def _age() -> float:
    """Seconds since this process began: the interpreter and its imports are start-up too."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        fields = (PROC / "self" / "stat").read_text().rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, age)
    return 0.0
