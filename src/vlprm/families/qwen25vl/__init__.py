"""Qwen2.5-VL: its rules here, and beside them its checkpoints: inputs, model, packed forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vlprm.families.family import Family, ImageRule, PixelBounds, TokenRule
from vlprm.families.qwen25vl.chat import PRM_LAYOUT, TURN_END, policy_text
from vlprm.families.qwen25vl.resize import FACTOR, check_sides, image_tokens, smart_resize
from vlprm.families.qwen25vl.shapes import KNOWN, shapes
from vlprm.records import ImageRef


def size(image: ImageRef, pixels: PixelBounds) -> tuple[int, int]:
    """Width and height after the one resize."""
    return smart_resize(image.width, image.height, pixels.min, pixels.max)


def _tokens(image: ImageRef, pixels: PixelBounds) -> int:
    return image_tokens(*size(image, pixels))


def _most(pixels: PixelBounds) -> int:
    return pixels.max // FACTOR**2


def _processor(pixels: PixelBounds) -> Mapping[str, Any]:
    # The bounds are ours as well: what vLLM reserves for an image follows from them. The slow
    # processor (PIL and numpy), as the CPU engine's: the fast one resizes with torchvision and
    # gives other pixels.
    return {"use_fast": False, "min_pixels": pixels.min, "max_pixels": pixels.max}


FAMILY: Final = Family(
    name="qwen2.5-vl",
    architecture="qwen2_5_vl",
    engines={"policy": ("vllm", "transformers"), "scorer": ("transformers",)},
    images=ImageRule(size, _tokens, _most, _processor, check_sides),
    tokens=TokenRule((TURN_END,)),
    shapes=shapes,
    known=KNOWN,
    chat=policy_text,
    prm=PRM_LAYOUT,
)
