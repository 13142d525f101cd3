"""Qwen2.5-VL on small pictures: a quarter of an image's pixels at most, shown after the text.

The checkpoint and what runs it are Qwen2.5-VL's. vLLM is left out: it would apply the template
of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from vlprm.families import qwen25vl
from vlprm.families.family import PixelBounds
from vlprm.families.qwen25vl.chat import (
    ANSWER_HEADER,
    IMAGE_END,
    IMAGE_PAD,
    IMAGE_START,
    TURN_END,
    TURN_START,
)
from vlprm.families.qwen25vl.resize import image_tokens, smart_resize
from vlprm.records import ImageRef, Message

SHARE = 4
"""An image's pixels over those that are shown, at least."""


def _size(image: ImageRef, pixels: PixelBounds) -> tuple[int, int]:
    most = max(pixels.min, min(pixels.max, image.width * image.height // SHARE))
    return smart_resize(image.width, image.height, pixels.min, most)


def _tokens(image: ImageRef, pixels: PixelBounds) -> int:
    return image_tokens(*_size(image, pixels))


def _chat(
    messages: Sequence[Message],
    prefix: str,
    tokens: Callable[[ImageRef], int],
    defuse: Callable[[str], str],
) -> str:
    parts = []
    for message in messages:
        images = "".join(
            f"{IMAGE_START}{IMAGE_PAD * tokens(ref)}{IMAGE_END}" for ref in message.images
        )
        parts.append(f"{TURN_START}{message.role}\n{defuse(message.text)}{images}{TURN_END}\n")
    return "".join([*parts, ANSWER_HEADER, defuse(prefix)])


FAMILY: Final = replace(
    qwen25vl.FAMILY,
    name="thumbnail",
    engines={"policy": ("transformers",), "scorer": ("transformers",)},
    images=replace(qwen25vl.FAMILY.images, size=_size, tokens=_tokens),
    chat=_chat,
)
