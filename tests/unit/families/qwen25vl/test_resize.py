"""Image sizes: the published table, the processor's own arithmetic, bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.qwen2_vl import image_processing_qwen2_vl as qwen

from vlprm.errors import UserError
from vlprm.families.qwen25vl.resize import (
    PUBLISHED_MAX,
    PUBLISHED_MIN,
    image_tokens,
    published_size,
    smart_resize,
)

PUBLISHED = [
    ((1514, 720), (1428, 672), 1224),
    ((1024, 768), (1036, 756), 999),
    ((131, 60), (728, 308), 286),
    ((320, 240), (504, 420), 270),
    ((322, 245), (532, 392), 266),
    ((203, 30), (1204, 196), 301),
    ((203, 204), (448, 448), 256),
    ((640, 480), (644, 476), 391),
]


@pytest.mark.parametrize(("image", "size", "tokens"), PUBLISHED)
def test_published_sizes(image: tuple[int, int], size: tuple[int, int], tokens: int) -> None:
    assert published_size(*image) == size
    assert image_tokens(*size) == tokens


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_agrees_with_the_processor(width: int, height: int) -> None:
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(UserError, match="too narrow"):
            smart_resize(width, height, PUBLISHED_MIN, PUBLISHED_MAX)
        return
    size = smart_resize(width, height, PUBLISHED_MIN, PUBLISHED_MAX)
    high, wide = qwen.smart_resize(
        height, width, factor=28, min_pixels=PUBLISHED_MIN, max_pixels=PUBLISHED_MAX
    )
    assert size == (wide, high)
    assert size[0] % 28 == size[1] % 28 == 0
    assert image_tokens(*size) >= 256


def test_size_in_bounds_is_kept() -> None:
    assert smart_resize(84, 112, 28 * 28, PUBLISHED_MAX) == (84, 112)
