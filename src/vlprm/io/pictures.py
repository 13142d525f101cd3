"""Image files as a viewer shows them: upright, 8-bit RGB, on white.

Whichever decoder reads the file and whatever is wrong with it, the result is a picture or one
message.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from vlprm.errors import UserError

LARGEST = 178_956_970
"""Pixels of an image: twice Pillow's ``MAX_IMAGE_PIXELS``, where it refuses to decode. No model
sees more than 13 million; as RGB these are 0.5 GB."""
_DEEP = 65_535
"""White of 16 bits."""
_OF_16_BITS = np.rint(np.arange(_DEEP + 1) * (255 / _DEEP)).astype(np.uint8)
_STRIP = 64
"""Lines of pixels scaled at once."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes an EXIF orientation (Exif 2.32, tag 0x0112); 1 is upright."""


def load(source: Path | bytes, where: str) -> Image.Image:
    """Decode an image file completely: the first frame, upright, as ``flatten`` gives it.

    Raises UserError, naming ``where``, for an image that is missing, unreadable, cut off, or
    larger than ``LARGEST``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubtful metadata; the picture is what counts
            file = source if isinstance(source, Path) else io.BytesIO(source)
            with Image.open(file) as opened:
                opened.load()
                return flatten(_upright(opened))
    except FileNotFoundError as error:
        raise UserError(
            "no such image", where=where, cure="check the data folder, or fetch it again"
        ) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise UserError(
            f"the image has too many pixels; {LARGEST // 1_000_000} million can be read",
            where=where,
            cure="scale it down, or leave the row out",
        ) from error
    except UnidentifiedImageError as error:
        raise UserError(
            "unreadable image: of no known format, or cut off in its head",
            where=where,
            cure="fetch the file again",
        ) from error
    except Exception as error:  # decoders of forty formats raise whatever goes wrong in them
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"unreadable or truncated image ({said})", where=where, cure="fetch the file again"
        ) from error


def flatten(image: Image.Image) -> Image.Image:
    """8-bit RGB on a white background (as upstream shows it to the PRM).

    An 8-bit RGB image comes back as it is.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block says nothing about the pixels
        turn = None
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey levels of more than 8 bits in 256 steps; Pillow would clip them at 255.

    16 bits: 65,535 is white. 32-bit integers and floats have no fixed white. Their range decides:
    up to 1 (floats), 255 or 65,535 where all values lie in it, otherwise from the least value to
    the greatest. NaN is black.
    """
    levels = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = Image.fromarray(_OF_16_BITS[levels])
        clear = image.info.get("transparency")
        if isinstance(clear, int):  # one of the levels is transparent
            grey.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
        return grey
    if image.mode == "F":
        levels = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = _range(levels, whites=(1, 255, _DEEP) if image.mode == "F" else (255, _DEEP))
    if (low, high) == (0, 255):
        return image.convert("L")
    found = np.empty(levels.shape, np.uint8)
    for row in range(0, len(levels), _STRIP):  # as 64-bit floats the whole may not fit in memory
        strip = levels[row : row + _STRIP].astype(np.float64)
        found[row : row + _STRIP] = np.rint((strip - low) * (255 / (high - low)))
    return Image.fromarray(found)


def _range(levels: npt.NDArray[Any], whites: tuple[int, ...]) -> tuple[float, float]:
    """The values that become black and white."""
    least, greatest = float(levels.min()), float(levels.max())
    for white in whites:
        if least >= 0 and greatest <= white:
            return 0, white
    return least, greatest if greatest > least else least + 1
