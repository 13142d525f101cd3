"""Fingerprints: of a question its words, of an image its pixels and a small grey picture of it.

The *pixel hash* is the image's name in its pack: the sha256 of size and RGB pixels. The
*perceptual hash* is 64 bits, which side of 64 planes the image lies on, seen as 16 x 16 grey cells
without their mean (SimHash: Charikar, STOC 2002): bits of equal pictures differ in a few
places however they were encoded or scaled. The cells come along, to tell a copy from what is only
drawn alike. All of it is integer arithmetic, so the bits are the same on every machine.

Not found: crops, mirrored and rotated copies, pictures in a frame.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from vlprm.records import Record

SIDE = 16
"""Cells along each side."""
BITS = 64
FLAT = 16
"""Grey levels between the darkest and the brightest cell; a picture with fewer says nothing."""
Cells = npt.NDArray[np.uint8]

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[+*/^=<>%]|-(?=\s*\d)")
_DASHES = str.maketrans("−–‐‑", "----")


class ImageFingerprint(Record):
    """One image; ``bits`` and ``cells`` are empty where its picture says nothing."""

    sha256: str
    bits: str
    """64 bits, hexadecimal."""
    cells: str
    """16 x 16 grey levels, row by row, hexadecimal."""


class Fingerprint(Record):
    """One question with its images."""

    sample_id: str
    question: str
    """Digest of its words; empty where it has none."""
    images: tuple[ImageFingerprint, ...]


def words(question: str, ignored: Sequence[str] = ()) -> str:
    """A question as its words, numbers and signs of arithmetic, in lower case.

    Compatibility forms, accents, case, blanks and punctuation do not count. ``ignored`` phrases
    (a corpus's own instruction) are left out wherever they stand.
    """
    found = f" {_words(question)} "
    for phrase in ignored:
        if own := _words(phrase):
            found = found.replace(f" {own} ", " ")
    return found.strip()


def _words(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.casefold()).translate(_DASHES)
    plain = "".join(mark for mark in split if not unicodedata.combining(mark))
    return " ".join(_WORD.findall(plain))


def question_digest(question: str, ignored: Sequence[str] = ()) -> str:
    """128 bits of a question's words, hexadecimal; empty for a question without words."""
    text = words(question, ignored)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if text else ""


def fingerprint_image(sha256: str, image: Image.Image) -> ImageFingerprint:
    """The fingerprint of an image, whose pixel hash is known."""
    grey = cells_of(image)
    if int(grey.max()) - int(grey.min()) < FLAT:
        return ImageFingerprint(sha256=sha256, bits="", cells="")
    return ImageFingerprint(sha256=sha256, bits=f"{bits_of(grey):016x}", cells=grey.tobytes().hex())


def cells_of(image: Image.Image) -> Cells:
    """Grey levels of 16 x 16 cells, shape (16, 16)."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.uint8)


def read_cells(text: str) -> Cells:
    """The cells of a fingerprint, shape (256,)."""
    return np.frombuffer(bytes.fromhex(text), dtype=np.uint8)


def bits_of(grey: Cells) -> int:
    """The perceptual hash of cells."""
    flat = grey.astype(np.int64).ravel()
    centred = flat * flat.size - flat.sum()  # without the mean, times the number of cells
    side = _planes() @ centred > 0
    return int.from_bytes(np.packbits(side).tobytes(), "big")


@cache
def _planes() -> npt.NDArray[np.int64]:
    """64 planes of signs, shape (64, 256), from a digest: no generator of random numbers."""
    drawn = hashlib.shake_256(b"vlprm leaks 1").digest(BITS * SIDE * SIDE // 8)
    signs = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8)).astype(np.int64)
    return signs.reshape(BITS, SIDE * SIDE) * 2 - 1
