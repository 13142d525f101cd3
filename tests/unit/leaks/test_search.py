"""Planted leaks are found, each as what it is, and nothing else is."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from tests.unit.leaks.pictures import encoded, picture, scaled
from vlprm.leaks.fingerprints import Fingerprint, fingerprint_image, question_digest
from vlprm.leaks.search import APART, Index, Kind

TOLERANCE = 16


def fingerprint(name: str, question: str, *images: Image.Image) -> Fingerprint:
    return Fingerprint(
        sample_id=name,
        question=question_digest(question),
        images=tuple(
            fingerprint_image(hashlib.sha256(image.tobytes()).hexdigest(), image)
            for image in images
        ),
    )


def index(tolerance: int | None = TOLERANCE) -> Index:
    found = Index(tolerance)
    found.add(
        "a", [fingerprint(f"a/{k}", f"What is in picture {k}?", picture(k)) for k in range(9)]
    )
    found.add("b", [fingerprint(f"b/{k}", "Which one is it?", picture(50 + k)) for k in range(5)])
    return found


def kinds(found: Index, item: Fingerprint) -> dict[tuple[str, Kind], tuple[int, str]]:
    return {(hit.benchmark, hit.kind): (hit.n, hit.example) for hit in found.hits("s", item)}


def test_nothing_in_common() -> None:
    assert not kinds(index(), fingerprint("s/0", "How many?", picture(99)))


def test_the_same_pixels() -> None:
    found = kinds(index(), fingerprint("s/0", "How many?", picture(3)))
    assert found == {("a", Kind.PIXELS): (1, "a/3")}


@pytest.mark.parametrize("copy", [encoded(picture(3), 60), scaled(picture(3), 0.5)])
def test_a_copy(copy: Image.Image) -> None:
    item = fingerprint("s/0", "How many?", copy)
    assert kinds(index(), item) == {("a", Kind.NEAR): (1, "a/3")}
    (hit,) = index().hits("s", item)
    assert hit.distance is not None
    assert 0 < hit.distance <= TOLERANCE
    assert not kinds(index(tolerance=None), item)
    assert not kinds(index(tolerance=hit.distance - 1), item)


def test_the_same_words_and_both() -> None:
    words_alone = fingerprint("s/0", "what is in picture 3", picture(99))
    assert kinds(index(), words_alone) == {("a", Kind.QUESTION): (1, "a/3")}
    one = fingerprint("s/0", "what is in picture 3", scaled(picture(3), 2))
    assert kinds(index(), one)["a", Kind.QUESTION_AND_IMAGE] == (1, "a/3")
    # words of one question, image of another: no question has both
    two = fingerprint("s/0", "what is in picture 3", picture(4))
    assert kinds(index(), two) == {
        ("a", Kind.QUESTION): (1, "a/3"),
        ("a", Kind.PIXELS): (1, "a/4"),
    }


def test_what_many_share_is_one_row() -> None:
    found = kinds(index(), fingerprint("s/0", "Which one is it?", picture(99)))
    assert found == {("b", Kind.QUESTION): (5, "b/0")}


def test_flat_pictures_are_compared_by_pixels_alone() -> None:
    white, grey = (Image.new("RGB", (40, 40), name) for name in ("white", "#fefefe"))
    found = Index(TOLERANCE)
    found.add("a", [fingerprint("a/0", "Why?", white)])
    assert kinds(found, fingerprint("s/0", "How?", white)) == {("a", Kind.PIXELS): (1, "a/0")}
    assert not kinds(found, fingerprint("s/1", "How?", grey))


def test_an_empty_benchmark_and_questions_without_words() -> None:
    found = Index(TOLERANCE)
    assert not kinds(found, fingerprint("s/0", "?", picture(1)))
    found.add("a", [fingerprint("a/0", "!")])
    assert not kinds(found, fingerprint("s/0", "?", picture(1)))


def test_no_pair_within_the_bits_is_missed() -> None:
    """Bands against all pairs, over hashes with up to twice the bits flipped."""
    drawn = np.random.default_rng(7)
    base = fingerprint("a/0", "", picture(1)).images[0]
    bits = [int(v) for v in drawn.integers(0, 2**63, 300)]
    known = [
        base.model_copy(update={"sha256": f"{k:064d}", "bits": f"{value:016x}"})
        for k, value in enumerate(bits)
    ]
    found = Index(tolerance=0)
    found.add("a", [
        Fingerprint(sample_id=f"a/{k}", question="", images=(image,))
        for k, image in enumerate(known)
    ])  # fmt: skip
    for k, value in enumerate(bits):
        flipped = value
        for place in drawn.choice(64, int(drawn.integers(0, 2 * APART)), replace=False):
            flipped ^= 1 << int(place)
        image = base.model_copy(update={"sha256": "f" * 64, "bits": f"{flipped:016x}"})
        near = sum((flipped ^ other).bit_count() <= APART for other in bits)
        hits = list(found.hits("s", Fingerprint(sample_id="s/0", question="", images=(image,))))
        assert sum(hit.n for hit in hits) == near, k
