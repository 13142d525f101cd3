"""Training questions against an index of the benchmarks' questions.

The index is as large as the benchmarks; sources pass by one question at a time, so time grows with
their number and memory does not. Near images are found by bands of the perceptual hash: with at
most ``APART`` bits of difference one of ``APART + 1`` bands is equal, so none is missed. Their
cells then decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from vlprm.leaks.fingerprints import BITS, Fingerprint, ImageFingerprint, read_cells
from vlprm.records import Record

APART = 8
"""Bits of the perceptual hash in which near images may differ."""
Ids = npt.NDArray[np.int64]
_NONE: Ids = np.empty(0, dtype=np.int64)


class Kind(StrEnum):
    """What a training question shares with a benchmark."""

    PIXELS = "pixels"
    NEAR = "near"
    QUESTION = "question"
    QUESTION_AND_IMAGE = "question_and_image"


class LeakHit(Record):
    """A training question that shares something with questions of a benchmark."""

    source: str
    sample_id: str
    kind: Kind
    benchmark: str
    n: int
    """Questions of the benchmark that share it."""
    example: str
    """The first of them."""
    distance: int | None
    """Largest difference of a cell's grey level, for near images."""


@dataclass(slots=True)
class Index:
    """Benchmark questions, found by their words and images.

    ``tolerance``: grey levels by which a cell of a near image may differ; None: near images are
    not looked for.
    """

    tolerance: int | None
    _benchmarks: list[str] = field(default_factory=list)
    _samples: list[str] = field(default_factory=list)
    _owner: list[int] = field(default_factory=list)
    _questions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _pixels: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _drawn: dict[str, ImageFingerprint] = field(default_factory=dict)
    _near: _Near | None = None

    def add(self, benchmark: str, fingerprints: Iterable[Fingerprint]) -> None:
        """Take in questions of a benchmark."""
        if benchmark not in self._benchmarks:
            self._benchmarks.append(benchmark)
        for item in fingerprints:
            number = len(self._samples)
            self._samples.append(item.sample_id)
            self._owner.append(self._benchmarks.index(benchmark))
            if item.question:
                self._questions[item.question].append(number)
            for image in item.images:
                numbers = self._pixels[image.sha256]
                if numbers[-1:] != [number]:  # a question may show one image twice
                    numbers.append(number)
                if image.bits:
                    self._drawn[image.sha256] = image
        self._near = None

    def hits(self, source: str, item: Fingerprint) -> Iterator[LeakHit]:
        """What one training question shares with each benchmark, in the benchmarks' order."""
        if self._near is None:
            self._near = _Near(list(self._drawn.values()))
        asked = self._numbers(self._questions.get(item.question, []) if item.question else [])
        same = self._numbers(n for image in item.images for n in self._pixels.get(image.sha256, []))
        distance: dict[int, int] = {}
        if self.tolerance is not None:
            own = {image.sha256 for image in item.images}
            for image in item.images:
                for name, apart in self._near.of(image, self.tolerance):
                    for number in self._pixels[name] if name not in own else ():
                        distance[number] = min(apart, distance.get(number, apart))
        near = np.setdiff1d(self._numbers(distance), same)
        both = np.intersect1d(asked, np.union1d(same, near))
        for place, benchmark in enumerate(self._benchmarks):
            for kind, numbers in (
                (Kind.PIXELS, same),
                (Kind.NEAR, near),
                (Kind.QUESTION, asked),
                (Kind.QUESTION_AND_IMAGE, both),
            ):
                here = [int(n) for n in numbers if self._owner[n] == place]
                if not here:
                    continue
                yield LeakHit(
                    source=source,
                    sample_id=item.sample_id,
                    kind=kind,
                    benchmark=benchmark,
                    n=len(here),
                    example=self._samples[here[0]],
                    distance=min(distance[n] for n in here) if kind is Kind.NEAR else None,
                )

    @staticmethod
    def _numbers(found: Iterable[int]) -> Ids:
        return np.unique(np.fromiter(found, dtype=np.int64))


class _Near:
    """Images by bands of their perceptual hash."""

    def __init__(self, images: list[ImageFingerprint]) -> None:
        self._names = [image.sha256 for image in images]
        self._bits = np.array([int(image.bits, 16) for image in images], dtype=np.uint64)
        self._cells = np.array([read_cells(image.cells) for image in images], dtype=np.int16)
        self._edges = [BITS * band // (APART + 1) for band in range(APART + 2)]
        self._bands: list[dict[int, Ids]] = []
        for band in range(APART + 1):
            places: dict[int, list[int]] = defaultdict(list)
            for place, image in enumerate(images):
                places[self._band(int(image.bits, 16), band)].append(place)
            self._bands.append({key: np.array(found) for key, found in places.items()})

    def of(self, image: ImageFingerprint, tolerance: int) -> Iterator[tuple[str, int]]:
        """Names of near images, each with the largest difference of a cell."""
        if not image.bits or not self._names:
            return
        bits = int(image.bits, 16)
        found = [own.get(self._band(bits, band), _NONE) for band, own in enumerate(self._bands)]
        places = np.unique(np.concatenate(found))
        apart = np.bitwise_count(self._bits[places] ^ np.uint64(bits))
        places = places[apart <= APART]
        cells = read_cells(image.cells).astype(np.int16)
        largest = np.abs(self._cells[places] - cells).max(axis=1, initial=0)
        for place, most in zip(places, largest, strict=True):
            if most <= tolerance:
                yield self._names[place], int(most)

    def _band(self, bits: int, band: int) -> int:
        low, high = self._edges[band], self._edges[band + 1]
        return bits >> low & (1 << high - low) - 1
