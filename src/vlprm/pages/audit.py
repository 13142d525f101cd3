"""What a hand audit found, as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from vlprm.pages.strategies import interval


class Shown(Protocol):
    """A share with its interval (``metrics.audit.Share``)."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def marks(self) -> int: ...


def audit_page(shares: Sequence[Shown], marks: Sequence[object], confidence: float) -> str:
    """Shares and how many marks there are; ``marks``: of all drawn verdicts."""
    told = Counter("none" if mark is None else str(mark) for mark in marks)
    lines = [
        "# Hand audit of the judge's verdicts",
        "",
        f"{len(marks)} verdicts drawn; {told['none']} without a mark, {told['unclear']} unclear.",
        f"Shares in % with their {100 * confidence:g} % interval; the first two weigh each source",
        "and conclusion by its verdicts in the run.",
        "",
        "| | share | marks |",
        "|:--|--:|--:|",
    ]
    for item in shares:
        cells = [item.name, interval((item.value, item.low, item.high)), str(item.marks)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
