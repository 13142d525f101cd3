"""Decoded images: upright, with all their grey levels, or refused in one message."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vlprm.errors import UserError
from vlprm.io.pictures import flatten, load


def encoded(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def shown(image: Image.Image, name: str = "PNG", **options: Any) -> np.ndarray[Any, Any]:
    found = load(encoded(image, name, **options), "here")
    assert found.mode == "RGB"
    return np.asarray(found)


def ramp(low: float, high: float, kind: str) -> Image.Image:
    return Image.fromarray(np.linspace(low, high, 64)[None].repeat(4, 0).astype(kind))


@pytest.mark.parametrize(
    ("low", "high", "kind", "name", "ends"),
    [
        (0, 65535, "uint16", "PNG", (0, 255)),
        (0, 65535, "uint16", "TIFF", (0, 255)),
        (0, 4095, "uint16", "PNG", (0, 16)),
        (0, 65535, "int32", "TIFF", (0, 255)),
        (0, 255, "int32", "TIFF", (0, 255)),
        (-500, 100_000, "int32", "TIFF", (0, 255)),
        (0, 1, "float32", "TIFF", (0, 255)),
        (0, 0.5, "float32", "TIFF", (0, 128)),
        (0, 255, "float32", "TIFF", (0, 255)),
        (0, 65535, "float32", "TIFF", (0, 255)),
        (-1, 1, "float32", "TIFF", (0, 255)),
    ],
)
def test_grey_levels(low: float, high: float, kind: str, name: str, ends: tuple[int, int]) -> None:
    row = shown(ramp(low, high, kind), name)[0, :, 0].astype(int)
    assert (row[0], row[-1]) == ends
    assert (np.diff(row) >= 0).all()
    assert len(set(row)) == min(64, ends[1] + 1)


@pytest.mark.parametrize("value", [0.0, 7e9, float("nan"), float("inf")])
def test_flat_floats(value: float) -> None:
    assert len(np.unique(shown(Image.fromarray(np.full((4, 4), value, "float32")), "TIFF"))) == 1


def test_transparency_of_sixteen_bits() -> None:
    row = shown(ramp(0, 65535, "uint16"), transparency=0)[0, :, 0]
    assert (row[0], row[1]) == (255, 4), "the transparent level shows the white behind it"


UPRIGHT = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
STORED = {
    1: UPRIGHT, 2: UPRIGHT[:, ::-1], 3: UPRIGHT[::-1, ::-1], 4: UPRIGHT[::-1], 5: UPRIGHT.T,
    6: np.rot90(UPRIGHT), 7: UPRIGHT[::-1, ::-1].T, 8: np.rot90(UPRIGHT, -1),
    0: UPRIGHT, 9: UPRIGHT,
}  # fmt: skip
"""How a camera that writes each orientation stores the picture."""


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_orientation(orientation: int, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation])).convert("RGB")
    extra = {"lossless": True} if name == "WEBP" else {}
    assert (shown(stored, name, exif=exif, **extra)[:, :, 0] == UPRIGHT).all()


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"x" * 99,
    ],
)
def test_broken_exif_is_survived(exif: bytes) -> None:
    image = Image.fromarray(UPRIGHT).convert("RGB")
    plain = encoded(image, "JPEG")
    block = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    broken = plain[:2] + block + plain[2:]
    assert load(broken, "here").tobytes() == load(plain, "here").tobytes()


def test_what_is_rgb_already_is_not_touched() -> None:
    image = Image.fromarray(np.zeros((4, 4, 3), np.uint8))
    assert flatten(image) is image


def test_refused_by_name(tmp_path: Path) -> None:
    whole = encoded(Image.effect_noise((40, 40), 60))
    (tmp_path / "a.png").mkdir()
    for source, said in [
        (whole[:700], "truncated"), (b"", "no known format"), (b"text", "no known format"),
        (encoded(Image.new("1", (20_000, 10_000))), "too many pixels"),
        (tmp_path / "none.png", "no such image"), (tmp_path / "a.png", "unreadable"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=rf"rows\.jsonl:3: .*{said}") as found:
            load(source, "rows.jsonl:3")
        assert len(str(found.value).splitlines()) == 2
        assert "0x" not in str(found.value), "an address in memory tells nobody anything"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_cut_image_is_refused_or_whole(name: str) -> None:
    data = encoded(Image.effect_noise((24, 24), 60).convert("RGB"), name)
    whole = load(data, "here").tobytes()
    refused = 0
    for length in range(0, len(data), 7):
        try:
            assert load(data[:length], "here").tobytes() == whole
        except UserError:
            refused += 1
    assert refused > 0.9 * len(data) / 7
