"""What a model family is: how it shows images and text, and which roles it can play.

Rules alone, no torch: the configuration reads them too. What runs a checkpoint stands beside them
(``qwen25vl.model``, ``qwen25vl.inputs``) and is chosen by ``Family.architecture``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vlprm.errors import UserError
from vlprm.families.shapes import Shapes
from vlprm.records import ImageRef, Message

if TYPE_CHECKING:
    from PIL import Image

Role = Literal["policy", "scorer"]
"""``policy`` draws text; ``scorer`` reads logits of given text: a PRM, or a VLM that judges."""


class Images(Protocol):
    """Where images come from (``io.images.ImageStore``)."""

    def open(self, ref: ImageRef) -> Image.Image:
        """The image as RGB."""
        ...


class PixelBounds(Protocol):
    """Bounds of the resize, in pixels (``config.models.Pixels``)."""

    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...


def _any_sides(width: int, height: int, where: str | None = None) -> None:
    """No image is refused."""


def _no_text(token: str) -> bool:
    del token
    return False


@dataclass(frozen=True, slots=True)
class ImageRule:
    """How a family shows an image."""

    size: Callable[[ImageRef, PixelBounds], tuple[int, int]]
    """(width, height) in pixels at which an image is handed to the checkpoint's processor."""
    tokens: Callable[[ImageRef, PixelBounds], int]
    """Visual tokens of an image."""
    most: Callable[[PixelBounds], int]
    """Visual tokens of the largest image."""
    processor: Callable[[PixelBounds], Mapping[str, Any]]
    """Options of the checkpoint's processor, for vLLM."""
    check_sides: Callable[[int, int, str | None], None] = _any_sides
    """(width, height, where) -> None. Raises UserError, naming ``where``, for an image that the
    family cannot show."""


@dataclass(frozen=True, slots=True)
class TokenRule:
    """What no file of a checkpoint says of its added tokens."""

    turn_ends: tuple[str, ...]
    """Tokens that end a turn, where ``generation_config.json`` forgets them."""
    is_text: Callable[[str], bool] = _no_text
    """Whether an added token is ordinary text that may be drawn, by its spelling."""


@dataclass(frozen=True, slots=True)
class PRMLayout:
    """How a scorer reads a solution."""

    value_tokens: tuple[str, str]
    """Answers to a right and to a wrong step; single tokens."""
    answer_header: str
    """Opens an answer; the score is read at its last token."""
    turn_end: str
    """The token after an answer."""
    text: Callable[[str, str, Sequence[str], Sequence[str | None], Sequence[int]], str]
    """(system, question, steps, answers, visual tokens of each image) -> the conversation's text.

    One answer per step; a last answer of None is left open. Raises UserError without steps.
    """


@dataclass(frozen=True, slots=True)
class Family:
    """One family of models; ``families.FAMILIES`` holds all of them by name."""

    name: str
    """What ``models.*.family`` says."""
    architecture: str
    """``model_type`` in the ``config.json`` of its checkpoints."""
    engines: Mapping[Role, tuple[str, ...]]
    """Engines that can run it in each role. A role without an entry it cannot play."""
    images: ImageRule
    tokens: TokenRule
    shapes: Callable[[Mapping[str, Any]], Shapes]
    """Shapes from the content of ``config.json``. Raises KeyError, TypeError, ValueError or
    ZeroDivisionError for content that has none."""
    known: Mapping[str, Shapes] = field(default_factory=dict)
    """Shapes by repository of the Hub, for before a checkpoint is fetched."""
    chat: (
        Callable[[Sequence[Message], str, Callable[[ImageRef], int], Callable[[str], str]], str]
        | None
    ) = None
    """(messages, prefix, visual tokens of an image, defuser) -> what the policy reads.

    The assistant's turn is opened and ``prefix`` stands in it. For the transformers engine; vLLM
    applies the template of the checkpoint.
    """
    prm: PRMLayout | None = None
    """None: no scorer."""

    def check_checkpoint(self, folder: Path) -> None:
        """Raise UserError for a checkpoint of another architecture, or without ``config.json``."""
        path = folder / "config.json"
        try:
            found = json.loads(path.read_text("utf-8"))["model_type"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"no checkpoint's configuration ({type(error).__name__}: {error})",
                where=str(path),
                cure="complete the checkpoint",
            ) from error
        if found != self.architecture:
            raise UserError(
                f"model_type {found!r}, and models.*.family says {self.name}, whose checkpoints"
                f" are {self.architecture}",
                where=str(path),
                cure="name the family of this checkpoint, or give a checkpoint of this family",
            )

    def read_shapes(self, folder: Path) -> Shapes | None:
        """The shapes of a checkpoint; None where its ``config.json`` is absent or no such one."""
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            return self.shapes(config) if config["model_type"] == self.architecture else None
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            return None
