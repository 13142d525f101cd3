"""Fingerprints: what counts as the same picture or the same words, and what does not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.unit.leaks.pictures import encoded, picture, scaled
from vlprm.leaks.fingerprints import (
    bits_of,
    cells_of,
    fingerprint_image,
    question_digest,
    read_cells,
    words,
)
from vlprm.leaks.search import APART


def apart(one: Image.Image, other: Image.Image) -> tuple[int, int]:
    """Bits and grey levels between two pictures."""
    cells = [cells_of(item) for item in (one, other)]
    bits = (bits_of(cells[0]) ^ bits_of(cells[1])).bit_count()
    return bits, int(np.abs(cells[0].astype(int) - cells[1]).max())


@pytest.mark.parametrize("seed", range(20))
def test_a_copy_is_near_however_it_was_encoded_or_scaled(seed: int) -> None:
    image = picture(seed)
    copies = [encoded(image, quality) for quality in (95, 75, 40)]
    copies += [scaled(image, factor) for factor in (0.4, 0.5, 0.77, 1.5, 3)]
    copies.append(encoded(scaled(image, 0.6), 75))
    for copy in copies:
        bits, levels = apart(image, copy)
        assert bits <= APART
        assert levels <= 12


def test_other_pictures_are_far() -> None:
    images = [picture(seed) for seed in range(30)]
    levels = [apart(one, other)[1] for k, one in enumerate(images) for other in images[:k]]
    assert min(levels) > 40


def test_one_shape_more_is_another_picture() -> None:
    image, other = picture(3), picture(3)
    ImageDraw.Draw(other).rectangle((150, 100, 190, 140), fill="black")
    assert apart(image, other)[1] > 40


def test_a_flat_picture_says_nothing() -> None:
    found = fingerprint_image("0" * 64, Image.new("RGB", (50, 50), "white"))
    assert (found.bits, found.cells) == ("", "")


def test_cells_survive_their_text() -> None:
    image = picture(1)
    found = fingerprint_image("0" * 64, image)
    assert np.array_equal(read_cells(found.cells), cells_of(image).ravel())
    # the same on every machine: integers from the picture to the bits
    assert len(found.bits) == 16


SAME = [
    ("What number is on the bus?", "what number is on the bus"),
    ("What number is on the bus?", "  What   number\nis on the “bus” ? "),
    ("How many well-known cafés are there?", "How many well known cafes are there"),
    ("Is it (a) or (b)?", "Is it a or b"),
    ("What is 3 − 1?", "what is 3 - 1"),
    ("ﬁnd x", "Find X!"),
]
OTHER = [
    ("What is 3 - 1?", "What is 3 1?"),
    ("What is 3 + 1?", "What is 3 - 1?"),
    ("Is it 1.5?", "Is it 15?"),
    ("What number is on the bus?", "What number is on the car?"),
    ("Is x < y?", "Is x > y?"),
    ("Is it -5?", "Is it 5?"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_words(one: str, other: str) -> None:
    assert question_digest(one) == question_digest(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_words(one: str, other: str) -> None:
    assert question_digest(one) != question_digest(other)


def test_an_instruction_is_no_part_of_a_question() -> None:
    asked = "Number on bus? Answer the question using a single word or phrase."
    phrase = "answer the question using a single word or phrase"
    assert words(asked, [phrase]) == "number on bus"
    assert words("A single word or phrases", ["a single word or phrase"]) == (
        "a single word or phrases"
    )


@pytest.mark.parametrize("question", ["", " ?!… "])
def test_a_question_without_words_is_like_none(question: str) -> None:
    assert question_digest(question) == ""
