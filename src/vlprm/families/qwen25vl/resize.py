"""Image sizes and visual token counts of Qwen2.5-VL, without decoding an image."""

from __future__ import annotations

import math

from vlprm.errors import UserError

FACTOR = 28
"""Pixels of one visual token along a side: patches of 14, merged 2 by 2."""
PUBLISHED_MIN, PUBLISHED_MAX = 256 * FACTOR**2, 1280 * FACTOR**2
"""Bounds of the released PRMs' processor (upstream eval PRM:82), in pixels."""
LOADER_MIN, LOADER_MAX = 4 * FACTOR**2, 16384 * FACTOR**2
"""Bounds of the resize upstream applies before its processor does (upstream eval QV:26-29)."""
_WIDEST = 200


def smart_resize(
    width: int, height: int, min_pixels: int, max_pixels: int, factor: int = FACTOR
) -> tuple[int, int]:
    """(width, height) the Qwen image processor resizes an image to, both multiples of ``factor``.

    The area lies within the bounds where whole multiples allow it. Raises UserError for an image
    200 times longer than wide, which the processor refuses.
    """
    check_sides(width, height)
    wide, high = round(width / factor) * factor, round(height / factor) * factor
    if wide * high > max_pixels:
        shrink = math.sqrt((height * width) / max_pixels)
        wide = max(factor, math.floor(width / shrink / factor) * factor)
        high = max(factor, math.floor(height / shrink / factor) * factor)
    elif wide * high < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        wide = math.ceil(width * grow / factor) * factor
        high = math.ceil(height * grow / factor) * factor
    return wide, high


def check_sides(width: int, height: int, where: str | None = None) -> None:
    """Raise UserError, naming ``where``, for an image too narrow for the processor."""
    if min(width, height) < 1 or max(width, height) > _WIDEST * min(width, height):
        raise UserError(
            f"an image of {width}x{height} pixels is too narrow for the model",
            where=where,
            cure=f"crop or pad it: one side may be at most {_WIDEST} times the other",
        )


def image_tokens(width: int, height: int) -> int:
    """Visual tokens of an image already resized to multiples of 28."""
    return (width // FACTOR) * (height // FACTOR)


def published_size(width: int, height: int) -> tuple[int, int]:
    """Size at which the published evaluation showed an image to the PRM: it resized twice.

    Ours resizes once; the sizes differ by at most a few multiples of 28.
    """
    return smart_resize(
        *smart_resize(width, height, LOADER_MIN, LOADER_MAX), PUBLISHED_MIN, PUBLISHED_MAX
    )
