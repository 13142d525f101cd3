"""Images by content: a pack is one Parquet file of PNGs keyed by the sha256 of their pixels.

One file for many images keeps cluster file systems happy and gives a stage one hashable
output; images never sit inside record tables.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from vlprm.errors import UserError
from vlprm.io.atomic import atomic_path
from vlprm.records import ImageRef

_SCHEMA = pa.schema([("sha256", pa.string()), ("png", pa.large_binary())])


def flatten(image: Image.Image) -> Image.Image:
    """RGB, with transparency laid on white (as the published pipeline shows it to the PRM)."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def load(source: Path | bytes, where: str | None = None) -> Image.Image:
    """Decode an image file completely.

    Raises UserError for a missing, unreadable or truncated image, naming it.
    """
    name = where or (str(source) if isinstance(source, Path) else "image bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(source if isinstance(source, Path) else io.BytesIO(source))
            opened.load()
    except FileNotFoundError as error:
        raise UserError(
            "no such image", where=name, cure="check the data folder, or fetch it again"
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f"unreadable or truncated image ({error})", where=name, cure="fetch the file again"
        ) from error
    return opened


class ImageStore:
    """Images of one or more packs, opened by reference.

    ``ImageStore(*packs)`` reads existing packs; ``put`` adds images in memory and ``save``
    writes what was put as a new pack.
    """

    def __init__(self, *packs: Path) -> None:
        self._png: dict[str, bytes] = {}
        for pack in packs:
            if pack.is_dir():
                continue
            try:
                table = pq.read_table(pack, schema=_SCHEMA)
            except (pa.ArrowException, OSError) as error:
                raise UserError(
                    f"not a readable image pack ({error})",
                    where=str(pack),
                    cure="rerun the prepare stage of this data set",
                ) from error
            for name, png in zip(table["sha256"], table["png"], strict=True):
                self._png[name.as_py()] = png.as_py()

    def put(self, image: Image.Image) -> ImageRef:
        """Keep an image; equal pixels are kept once."""
        rgb = flatten(image)
        size = f"{rgb.width}x{rgb.height}:".encode()
        sha256 = hashlib.sha256(size + rgb.tobytes()).hexdigest()
        if sha256 not in self._png:
            buffer = io.BytesIO()
            rgb.save(buffer, format="PNG", compress_level=1)
            self._png[sha256] = buffer.getvalue()
        return ImageRef(sha256=sha256, width=rgb.width, height=rgb.height)

    def open(self, ref: ImageRef) -> Image.Image:
        """The image as RGB.

        Raises UserError when no pack holds it.
        """
        png = self._png.get(ref.sha256)
        if png is None:
            raise UserError(
                f"image {ref.sha256[:12]}… is in none of the packs given",
                cure="pass the image pack written beside the samples",
            )
        return Image.open(io.BytesIO(png)).convert("RGB")

    def save(self, path: Path) -> int:
        """Write all images as one pack, sorted by name; returns their number."""
        names = sorted(self._png)
        table = pa.table(
            {"sha256": names, "png": [self._png[name] for name in names]}, schema=_SCHEMA
        )
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="none", row_group_size=256)
        return len(names)
