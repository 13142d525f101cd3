"""Subsets of the training conversations: by what their errors are of, by source, by leak.

The published ablations (specification, field 1.2): *no perception* and *reasoning errors only*.
Upstream names them and says no more, so what they are is said here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from vlprm.config.labels import Subset
from vlprm.records import Label, Section

PERCEPTION_ERROR = "first error in perception"


def in_subset(
    subset: Subset, sections: Sequence[Section], labels: Sequence[Label | None]
) -> tuple[Label | None, ...] | None:
    """The labels of a rollout's first steps as a subset has them; None: it is left out.

    ``no_perception``: perception steps are shown and carry no loss. ``reasoning_errors``:
    rollouts whose first error is one of perception are left out; those without error stay.
    """
    if subset == "no_perception":
        kept = zip(sections, labels, strict=False)
        return tuple(None if section is Section.PERCEPTION else label for section, label in kept)
    if subset == "reasoning_errors" and 0 in labels:
        wrong = sections[list(labels).index(0)] is Section.PERCEPTION
        return None if wrong else tuple(labels)
    return tuple(labels)


def sizes(
    counts: Mapping[str, int], caps: Mapping[str, int], weights: Mapping[str, float]
) -> dict[str, int]:
    """How many conversations of each source stay.

    ``counts``: those there are. A source with a cap has at most so many. ``weights`` are shares
    of the whole: the largest whole is taken of which no weighted source lacks any; a source
    without a weight keeps what it has. Weights may sum up to anything above 0.
    """
    found = {name: min(n, caps.get(name, n)) for name, n in counts.items()}
    weighted = {name: weights[name] for name in found if weights.get(name, 0) > 0}
    if weighted:
        whole = min(found[name] / weight for name, weight in weighted.items())
        # a hair over the quotient: 0.1 * 30 / 0.1 is 30, whatever the rounding
        found |= {name: int(whole * weight + 1e-9) for name, weight in weighted.items()}
    found |= {name: 0 for name in found if weights.get(name) == 0}
    return found


def by_source(ids: Iterable[str]) -> dict[str, list[str]]:
    """Ids of rollouts by source, the first part of an id."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        found[name.partition("/")[0]].append(name)
    return dict(found)
