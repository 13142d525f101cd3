"""Gemma 3 as a policy over vLLM; it is no scorer here.

Its processor brings every image to one square of 896 pixels (256 tokens), whatever the bounds say,
so images are handed over as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vlprm.families.family import Family, ImageRule, PixelBounds, TokenRule
from vlprm.families.gemma3.shapes import KNOWN, shapes
from vlprm.records import ImageRef

IMAGE_TOKENS = 256
"""Visual tokens of any image (``mm_tokens_per_image``)."""
_MARKUP = re.compile(
    r"\s+|▁+|</?(?:table|caption|thead|tbody|tfoot|tr|th|td|h[1-6]|blockquote|strong|em|[bius]|sub|sup|code)>"
)
"""Added tokens that are ordinary text: runs of white space, HTML tags."""


def _as_it_is(image: ImageRef, pixels: PixelBounds) -> tuple[int, int]:
    del pixels
    return image.width, image.height


def _tokens(image: ImageRef, pixels: PixelBounds) -> int:
    del image, pixels
    return IMAGE_TOKENS


def _most(pixels: PixelBounds) -> int:
    del pixels
    return IMAGE_TOKENS


def _processor(pixels: PixelBounds) -> Mapping[str, Any]:
    del pixels
    # the slow one (PIL and numpy): the fast one resizes with torchvision and gives other pixels
    return {"use_fast": False}


def _is_markup(token: str) -> bool:
    return _MARKUP.fullmatch(token) is not None


FAMILY: Final = Family(
    name="gemma3",
    architecture="gemma3",
    engines={"policy": ("vllm",)},
    images=ImageRule(_as_it_is, _tokens, _most, _processor),
    tokens=TokenRule(("<end_of_turn>",), _is_markup),
    shapes=shapes,
    known=KNOWN,
)
