"""A hand audit of verdicts: which are drawn, and how far people agree with them.

Verdicts are drawn by stratum, source and conclusion, as many of each, because what is rare matters
as much: RAVEN is 98 % "wrong". No question is drawn twice, so marks are independent. A share over
strata weighs each by its verdicts in the whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vlprm.metrics.intervals import plain, share_intervals
from vlprm.seeds import seed_for

Stratum = tuple[str, bool]
"""Source, and whether the judge calls all steps right."""
Mark = int | Literal["right", "unclear"] | None
"""What a person says: the index of the first wrong step, all right, cannot tell; None: not yet."""


@dataclass(frozen=True, slots=True)
class Verdicted:
    """A usable verdict."""

    rollout_id: str
    sample_id: str
    source: str
    first_error: int | None

    @property
    def stratum(self) -> Stratum:
        """Its stratum."""
        return self.source, self.first_error is None


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval, and the marks that it rests on."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    marks: int


def draw(
    verdicts: Iterable[Verdicted], n: int, seed: int
) -> tuple[list[Verdicted], dict[Stratum, int]]:
    """``n`` verdicts (fewer where there are not so many questions), and the size of each stratum.

    Which ones follows from the seed and their ids alone; so does the order, which mixes strata.
    """
    sizes: Counter[Stratum] = Counter()
    ordered: dict[Stratum, list[tuple[int, Verdicted]]] = defaultdict(list)
    for item in verdicts:
        sizes[item.stratum] += 1
        ordered[item.stratum].append((seed_for(seed, "audit", item.rollout_id), item))
    queues = [
        [item for _, item in sorted(ordered[name], key=lambda pair: pair[0], reverse=True)]
        for name in sorted(ordered)
    ]
    taken: set[str] = set()
    chosen: list[Verdicted] = []
    while len(chosen) < n and any(queues):
        for queue in queues:
            while queue and queue[-1].sample_id in taken:
                queue.pop()
            if queue and len(chosen) < n:
                chosen.append(queue.pop())
                taken.add(chosen[-1].sample_id)
    chosen.sort(key=lambda item: seed_for(seed, "audit order", item.rollout_id))
    return chosen, dict(sorted(sizes.items()))


def agreement(
    drawn: Sequence[Verdicted],
    marks: Sequence[Mark],
    sizes: dict[Stratum, int],
    confidence: float,
) -> list[Share]:
    """How far marks and verdicts agree, over all and stratum by stratum.

    ``marks``: one of each drawn verdict. Those that are unclear or not given count nowhere. The
    share over all is weighted by the strata's ``sizes``; where one has no mark yet, over the rest.
    """
    told = [(item, mark) for item, mark in zip(drawn, marks, strict=True) if _is_told(mark)]
    conclusion: dict[Stratum, list[bool]] = defaultdict(list)
    step: dict[Stratum, list[bool]] = defaultdict(list)
    for item, mark in told:
        right = mark == "right"
        conclusion[item.stratum].append(right == (item.first_error is None))
        if item.first_error is not None and not right:
            step[item.stratum].append(mark == item.first_error)
    found = [
        _weighted("the judge's conclusion is right", conclusion, sizes, confidence),
        _weighted("and where both say wrong, the first error too", step, sizes, confidence),
    ]
    for name in sizes:
        source, right = name
        said = f"{source}, judged {'right' if right else 'wrong'}"
        found.append(_weighted(said, {name: conclusion[name]}, sizes, confidence))
    return found


def _is_told(mark: Mark) -> bool:
    return mark is not None and mark != "unclear"


def _weighted(
    name: str, hits: dict[Stratum, list[bool]], sizes: dict[Stratum, int], confidence: float
) -> Share:
    """A share over strata: its variance is that of a stratified sample, its interval the project's
    (``metrics.intervals``)."""
    known = {stratum: own for stratum, own in hits.items() if own}
    marks = sum(map(len, known.values()))
    if not marks:
        return Share(name, None, None, None, 0)
    whole = sum(sizes[stratum] for stratum in known)
    value = variance = 0.0
    for stratum, own in sorted(known.items()):
        weight, share = sizes[stratum] / whole, sum(own) / len(own)
        value += weight * share
        variance += weight**2 * share * (1 - share) / len(own)
    low, high = share_intervals(
        np.array([value]), np.array([variance]), np.array([float(marks)]), confidence
    )
    return Share(name, plain(np.float64(value)), plain(low[0]), plain(high[0]), marks)
