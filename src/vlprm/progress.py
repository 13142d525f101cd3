"""Progress of long work: a bar on a terminal, one log line every 5 % in a job."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
log = logging.getLogger(__name__)


def track(items: Sequence[T], what: str) -> Iterator[T]:
    """Iterate over ``items`` and tell how far it is; ``what`` names the unit of work."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what)
        return
    started, shown = time.monotonic(), 0
    for done, item in enumerate(items, start=1):
        yield item
        share = 20 * done // len(items)
        if share > shown:
            shown = share
            log.info("%s: %d of %d, %.0f s", what, done, len(items), time.monotonic() - started)


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Consecutive slices of at most ``size`` items."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def count_line(stage: str, counts: Iterable[tuple[str, int]]) -> str:
    """The one line of counts a stage ends with: ``rollout: 512 samples, 8,192 rollouts``."""
    return f"{stage}: " + ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts)
