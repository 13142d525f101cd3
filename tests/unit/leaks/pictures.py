"""Pictures and copies of them, for the leak check."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def picture(seed: int) -> Image.Image:
    """A diagram: shapes on white."""
    drawn = np.random.default_rng(seed)
    image = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, w, h = (int(v) for v in drawn.integers(5, [280, 200, 90, 90]))
        pen.rectangle((x, y, x + w, y + h), fill=tuple(int(v) for v in drawn.integers(0, 256, 3)))
    return image


def encoded(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)
