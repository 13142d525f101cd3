"""RAVEN's panels drawn as one picture: the matrix with its gap, the lettered candidates below."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from vlprm.importing.draft import Decode
from vlprm.records import letter

GAP = 8
"""Pixels between panels and around the picture."""
LABEL = 24
"""Pixels of the line that holds a candidate's letter."""
_INK, _FRAME = (0, 0, 0), (120, 120, 120)


@dataclass(frozen=True, slots=True, repr=False)
class Composite:
    """A puzzle's eight panels and eight candidates as encoded images of one size.

    Drawn when it is called: most rows of a corpus are only passed over. The layout is our own,
    because the released one was not published: three rows of three panels, the last with a
    question mark, centred over two rows of four candidates labelled A to H.
    """

    panels: tuple[bytes, ...]
    candidates: tuple[bytes, ...]
    where: str

    def __repr__(self) -> str:
        """By content: two rows with the same images are one image to ``sampling.unique``."""
        digest = hashlib.sha256()
        for item in (*self.panels, *self.candidates):
            digest.update(hashlib.sha256(item).digest())
        return f"Composite({digest.hexdigest()})"

    def __call__(self, load: Decode) -> Image.Image:
        """The picture, RGB. Raises what ``load`` does for a panel that cannot be read."""
        panels = [load(item, f"{self.where}, panel {k}") for k, item in enumerate(self.panels, 1)]
        candidates = [
            load(item, f"{self.where}, candidate {letter(k)}")
            for k, item in enumerate(self.candidates)
        ]
        width, height = panels[0].size
        size = (4 * width + 5 * GAP, 5 * height + 2 * LABEL + 7 * GAP)
        picture = Image.new("RGB", size, (255, 255, 255))
        draw = ImageDraw.Draw(picture)
        left = (size[0] - 3 * width - 2 * GAP) // 2
        for place, panel in enumerate([*panels, None]):
            x = left + place % 3 * (width + GAP)
            y = GAP + place // 3 * (height + GAP)
            _panel(picture, draw, panel, (x, y, width, height))
        top = 3 * (height + GAP) + 2 * GAP
        font = ImageFont.load_default(LABEL * 5 // 6)
        for place, candidate in enumerate(candidates):
            x = GAP + place % 4 * (width + GAP)
            y = top + place // 4 * (LABEL + height + GAP)
            draw.text((x + width // 2, y), letter(place), fill=_INK, font=font, anchor="ma")
            _panel(picture, draw, candidate, (x, y + LABEL, width, height))
        return picture


def _panel(
    picture: Image.Image,
    draw: ImageDraw.ImageDraw,
    panel: Image.Image | None,
    place: tuple[int, int, int, int],
) -> None:
    x, y, width, height = place
    if panel is None:
        middle = (x + width // 2, y + height // 2)
        draw.text(middle, "?", fill=_INK, font=ImageFont.load_default(height // 2), anchor="mm")
    else:
        picture.paste(
            panel if panel.size == (width, height) else panel.resize((width, height)), (x, y)
        )
    draw.rectangle((x, y, x + width - 1, y + height - 1), outline=_FRAME)
