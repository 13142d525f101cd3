"""Rows of a corpus drawn as the published corpora were: one of each image or question, then some.

The draw is that of ``random.seed(seed); random.sample(rows, size)``, which the published notebooks
used and Python keeps the same between versions.
"""

from __future__ import annotations

import hashlib
import random  # noqa: TID251 - the published draw; our own ones come from vlprm.seeds
from array import array
from collections.abc import Iterator
from pathlib import Path

from vlprm.config.data import RowSampling
from vlprm.errors import UserError
from vlprm.importing.draft import SampleDraft
from vlprm.sources.source import Source
from vlprm.sources.unusable import Unusable


def sampled(
    source: Source, dataset: str, root: Path, sampling: RowSampling, *, start: int, stop: int
) -> Iterator[SampleDraft]:
    """Drafts ``start`` to ``stop - 1`` of the drawn rows, in the order drawn.

    The corpus is read twice; what is kept of a row is a digest and its place. Raises UserError for
    an unusable row, wherever it stands (which rows are drawn depends on all of them), and where
    fewer than ``size`` rows are left to draw from.
    """
    places = _drawn(source, dataset, root, sampling)[start:stop]
    wanted = {place: number for number, place in enumerate(places)}
    found: dict[int, SampleDraft] = {}
    for place, draft in enumerate(_rows(source, dataset, root)):
        if place in wanted:
            found[wanted[place]] = draft
    yield from (found[number] for number in range(len(places)))


def _drawn(source: Source, dataset: str, root: Path, sampling: RowSampling) -> list[int]:
    """Places of the drawn rows, in the order drawn."""
    seen: set[bytes] = set()
    kept = array("q")
    for place, draft in enumerate(_rows(source, dataset, root)):
        key = _key(draft, sampling)
        if key is None or key not in seen:
            kept.append(place)
        if key is not None:
            seen.add(key)
    if len(kept) < sampling.size:
        unique = f" of different {sampling.unique}s" if sampling.unique else ""
        raise UserError(
            f"{len(kept)} rows{unique}, and sampling.size is {sampling.size}",
            where=str(root),
            cure="lower sampling.size and n, or give the whole corpus",
        )
    return random.Random(sampling.seed).sample(kept.tolist(), sampling.size)


def _key(draft: SampleDraft, sampling: RowSampling) -> bytes | None:
    if sampling.unique is None:
        return None
    text = draft.question if sampling.unique == "question" else repr(draft.images)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _rows(source: Source, dataset: str, root: Path) -> Iterator[SampleDraft]:
    for item in source.questions(dataset, root):
        if isinstance(item, Unusable):
            raise UserError(item.reason, where=item.where, cure="correct or remove the row")
        yield item
