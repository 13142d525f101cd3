"""The leak check's time and memory over sources of growing size, with copies planted.

    make bench NAME=leak_scale

Fingerprints are made up (pictures of every kind, questions with and without a twin): 10,000,
30,000 and 90,000 questions of sources against 7,000 of benchmarks, the paper's numbers. The last
line says how much longer one question takes among 90,000 than among 10,000.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np

from vlprm.leaks.fingerprints import SIDE, Fingerprint, ImageFingerprint, bits_of
from vlprm.leaks.search import Index, Kind

from report import print_line

SIZES, BENCHMARK, EVERY = (10_000, 30_000, 90_000), 7_000, 100


def cells(seed: int, noise: int = 0) -> np.ndarray:
    """A smooth picture, with some noise on top."""
    drawn = np.random.default_rng(seed)
    coarse = drawn.integers(0, 240, (SIDE // 4, SIDE // 4), dtype=np.uint8)
    picture = np.kron(coarse, np.ones((4, 4), np.uint8))
    return picture + drawn.integers(0, noise + 1, picture.shape, dtype=np.uint8)


def fingerprint(name: str, seed: int, question: int, noise: int = 0) -> Fingerprint:
    grey = cells(seed, noise)
    sha256 = hashlib.sha256(grey.tobytes()).hexdigest()
    image = ImageFingerprint(
        sha256=sha256, bits=f"{bits_of(grey):016x}", cells=grey.tobytes().hex()
    )
    return Fingerprint(sample_id=name, question=f"{question:032x}", images=(image,))


def source(n: int) -> Iterator[Fingerprint]:
    """Questions of a source; every hundredth is a benchmark's, its image encoded anew."""
    for k in range(n):
        if k % EVERY:
            yield fingerprint(f"s/{k}", BENCHMARK + k, BENCHMARK + k)
        else:
            yield fingerprint(f"s/{k}", k // EVERY, k // EVERY, noise=9)


def main() -> int:
    index = Index(tolerance=16)
    index.add("b", (fingerprint(f"b/{k}", k, k) for k in range(BENCHMARK)))
    each: list[float] = []
    found = True
    for n in SIZES:
        items = list(source(n))
        began = time.perf_counter()
        hits = [hit.kind for item in items for hit in index.hits("s", item)]
        each.append((time.perf_counter() - began) / n)
        found &= hits.count(Kind.QUESTION_AND_IMAGE) == n // EVERY
        found &= hits.count(Kind.NEAR) == n // EVERY
        print_line(f"leak_scale_{n}", each[-1] * 1e6, "microseconds per question")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print_line("leak_scale_memory", peak, "GiB, the made-up questions included")
    print_line("leak_scale_found", float(found), "1: every planted copy and no other", at_least=1)
    linear = print_line("leak_scale", each[-1] / each[0], "times per question", at_most=1.5)
    return 0 if found and linear else 1


if __name__ == "__main__":
    sys.exit(main())
