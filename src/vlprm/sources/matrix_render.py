"""Pictures of matrix puzzles: deterministic by puzzle, at any resolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw

from vlprm.config.matrix import Attribute
from vlprm.records import letter
from vlprm.seeds import seed_for
from vlprm.sources.matrix import VALUES, MatrixPuzzle

Point = tuple[float, float]
_RGB = {
    "red": (214, 40, 40),
    "orange": (244, 140, 6),
    "yellow": (240, 220, 40),
    "green": (50, 160, 70),
    "blue": (40, 90, 210),
    "purple": (140, 60, 170),
}
_SCALES = (0.5, 0.66, 0.82, 1.0)
_PLACES: tuple[tuple[Point, ...], ...] = (
    ((0.5, 0.5),),
    ((0.28, 0.5), (0.72, 0.5)),
    ((0.5, 0.28), (0.28, 0.72), (0.72, 0.72)),
    ((0.28, 0.28), (0.72, 0.28), (0.28, 0.72), (0.72, 0.72)),
)
_GREY, _INK = (128, 128, 128), (60, 60, 60)
_SHADE = 14
"""Largest shift of a colour channel from item to item."""


def render(puzzle: MatrixPuzzle, cell: int | None = None) -> Image.Image:
    """The matrix as an RGB image of 3×3 cells; with a panel, two rows of options below.

    ``cell`` is the side of a cell in pixels (by default the specification's).
    """
    side = cell or puzzle.spec.cell
    rng = np.random.default_rng(seed_for(puzzle.seed, "render", puzzle.spec.split, puzzle.index))
    columns, rows = (4, 5) if puzzle.options else (3, 3)
    image = Image.new("RGB", (columns * side, rows * side), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    for row in range(3):
        for column in range(3):
            place = (column * side, row * side)
            if (row, column) == (2, 2):
                _question_mark(draw, place, side)
            else:
                _cell(draw, puzzle.cell(row, column), place, side, puzzle.spec.jitter, rng)
    for number, option in enumerate(puzzle.options):
        place = (number % 4 * side, (3 + number // 4) * side)
        _cell(draw, option, place, side, puzzle.spec.jitter, rng)
        draw.text((place[0] + 1, place[1] + 1), letter(number), fill=_INK)
    if puzzle.spec.noise == 0:
        return image
    pixels = np.asarray(image, dtype=np.float32)
    pixels = pixels + rng.normal(0.0, puzzle.spec.noise, pixels.shape).astype(np.float32)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _cell(
    draw: ImageDraw.ImageDraw,
    cell: Mapping[Attribute, int],
    place: tuple[int, int],
    side: int,
    jitter: float,
    rng: np.random.Generator,
) -> None:
    x, y = place
    draw.rectangle((x, y, x + side - 1, y + side - 1), outline=_GREY)
    number = cell.get("number", 0)
    scale = _SCALES[cell.get("size", 3)] * (0.38 if number == 0 else 0.2)
    colour = np.array(_RGB[VALUES["colour"][cell.get("colour", 4)]])
    outline = _OUTLINES[VALUES["shape"][cell.get("shape", 0)]]
    for px, py in _PLACES[number]:
        dx, dy, grow = rng.uniform(-jitter, jitter, 3)
        shade = np.clip(colour + rng.integers(-_SHADE, _SHADE + 1, 3), 0, 255).tolist()
        radius = side * scale * (1 + grow)
        centre = (x + side * (px + dx / 2), y + side * (py + dy / 2))
        points = [(centre[0] + radius * a, centre[1] + radius * b) for a, b in outline()]
        draw.polygon(points, fill=tuple(shade))


def _question_mark(draw: ImageDraw.ImageDraw, place: tuple[int, int], side: int) -> None:
    x, y = place
    draw.rectangle((x, y, x + side - 1, y + side - 1), outline=_GREY, fill=(235, 235, 235))
    draw.text((x + side * 0.4, y + side * 0.3), "?", fill=_INK)


def _regular(corners: int, turn: float, radius: float = 1.0) -> list[Point]:
    step = 2 * math.pi / corners
    return [
        (radius * math.cos(turn + k * step), radius * math.sin(turn + k * step))
        for k in range(corners)
    ]


def _star() -> list[Point]:
    outer, inner = _regular(5, -math.pi / 2, 1.1), _regular(5, -math.pi / 2 + math.pi / 5, 0.45)
    return [point for pair in zip(outer, inner, strict=True) for point in pair]


def _cross() -> list[Point]:
    arm, half = 1.0, 0.33
    quarter = [(half, arm), (half, half), (arm, half)]
    points: list[Point] = []
    for _ in range(4):
        points += quarter
        quarter = [(y, -x) for x, y in quarter]
    return points


_OUTLINES: dict[str, Callable[[], list[Point]]] = {
    "circle": lambda: _regular(24, 0.0, 0.95),
    "triangle": lambda: _regular(3, -math.pi / 2, 1.15),
    "square": lambda: _regular(4, math.pi / 4, 1.2),
    "star": _star,
    "cross": _cross,
    "diamond": lambda: [(0.0, -1.15), (0.65, 0.0), (0.0, 1.15), (-0.65, 0.0)],
}
