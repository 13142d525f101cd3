"""What differs between families of chat VLMs for a policy: how an image is shown.

The family is read off ``model_type`` in the checkpoint's ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlprm.errors import UserError
from vlprm.prm.resize import smart_resize
from vlprm.qwen.inputs import PixelBounds
from vlprm.records import ImageRef


@dataclass(frozen=True, slots=True)
class Family:
    """One family's image rule."""

    size: Callable[[ImageRef, PixelBounds], tuple[int, int]]
    """(width, height) in pixels at which an image is handed to the checkpoint's processor."""
    processor: Callable[[PixelBounds], Mapping[str, Any]]
    """Options of the checkpoint's processor."""


def _one_resize(ref: ImageRef, pixels: PixelBounds) -> tuple[int, int]:
    return smart_resize(ref.width, ref.height, pixels.min, pixels.max)


def _within_bounds(pixels: PixelBounds) -> Mapping[str, Any]:
    # The bounds are ours as well: what vLLM reserves for an image follows from them.
    return {"use_fast": False, "min_pixels": pixels.min, "max_pixels": pixels.max}


def _as_it_is(ref: ImageRef, pixels: PixelBounds) -> tuple[int, int]:
    del pixels  # its own processor brings every image to one square
    return ref.width, ref.height


def _slow(pixels: PixelBounds) -> Mapping[str, Any]:
    del pixels
    return {"use_fast": False}


FAMILIES: Mapping[str, Family] = {
    "qwen2_5_vl": Family(_one_resize, _within_bounds),
    "gemma3": Family(_as_it_is, _slow),
}
"""By ``model_type``. All use the *slow* image processor (PIL and numpy), as the CPU engine does:
the fast one resizes with torchvision and gives other pixels."""


def family_of(model_dir: Path) -> Family:
    """The family of a checkpoint.

    Raises UserError for one that is not known, naming those that are.
    """
    path = model_dir / "config.json"
    try:
        name = json.loads(path.read_text("utf-8")).get("model_type")
    except (OSError, ValueError) as error:
        raise UserError(
            f"unreadable ({error})", where=str(path), cure="complete the checkpoint"
        ) from error
    if name not in FAMILIES:
        raise UserError(
            f"no rule for images of model_type {name!r}",
            where=str(path),
            cure=f"use a checkpoint of {', '.join(FAMILIES)}, or add its rule to families.py",
        )
    return FAMILIES[name]
