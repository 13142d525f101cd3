"""Inputs of a Qwen2.5-VL checkpoint: chat text, token ids, image patches.

Uses the checkpoint's own tokenizer and the real (slow) image processor, which needs no
torchvision; images are resized once, here, within the bounds of the configuration.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor
from transformers import Qwen2TokenizerFast, Qwen2VLImageProcessor

from vlprm.errors import UserError
from vlprm.prm.format import IMAGE_END, IMAGE_PAD, IMAGE_START, TURN_END, TURN_START
from vlprm.prm.resize import image_tokens, smart_resize
from vlprm.qwen.control_tokens import control_tokens
from vlprm.records import ImageRef, Message

PATCH = 14
"""Pixels along a patch's side."""
PATCH_NUMBERS = 3 * 2 * PATCH * PATCH
"""Numbers of one patch: three colours, an image taken twice as two frames."""
KEPT_BYTES = 256_000_000
"""Patches kept for images that come again: 53 of 448 x 448, 10 of the published bound, all that a
run of mini puzzles has. Questions come one after another: a larger cache would find no more."""
AHEAD_BYTES = 256_000_000
"""Patches made before they are asked for."""
AHEAD_THREADS = 8


class Images(Protocol):
    """Where images come from (``io.images.ImageStore``)."""

    def open(self, ref: ImageRef) -> Image.Image:
        """The image as RGB."""
        ...


class PixelBounds(Protocol):
    """Bounds of the resize, in pixels."""

    @property
    def min(self) -> int: ...
    @property
    def max(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Patches:
    """Processed images: patches (n, 1176) and grids (images, 3) in patches (t, h, w)."""

    pixel_values: Tensor
    grid_thw: Tensor


class QwenInputs:
    """Tokenizer and image processor of one checkpoint."""

    def __init__(self, model_dir: Path, store: Images, pixels: PixelBounds) -> None:
        try:
            self.tokenizer = Qwen2TokenizerFast.from_pretrained(model_dir, local_files_only=True)
        except Exception as error:  # tokenizers raises bare exceptions for a broken file
            raise UserError(
                f"no Qwen tokenizer ({error})", where=str(model_dir), cure="complete the checkpoint"
            ) from error
        self._processor = Qwen2VLImageProcessor(do_resize=False, patch_size=PATCH, merge_size=2)
        self._store, self._pixels = store, pixels
        self._patches: OrderedDict[str, Patches] = OrderedDict()
        self._kept = 0
        self._pool: ThreadPoolExecutor | None = None
        self._coming: dict[str, Future[Patches]] = {}
        self.image_pad = self.token_id(IMAGE_PAD)
        self.turn_end = self.token_id(TURN_END)
        self._defuse = control_tokens(model_dir, self.tokenizer).defuse

    def token_id(self, token: str) -> int:
        """Id of a token the vocabulary must have.

        Raises UserError when it is not one token.
        """
        ids = self.tokenizer.encode(token, add_special_tokens=False)
        if len(ids) != 1:
            raise UserError(
                f"{token!r} is not one token of this tokenizer", cure="use a Qwen tokenizer"
            )
        return int(ids[0])

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, special tokens recognised."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def size(self, ref: ImageRef) -> tuple[int, int]:
        """Width and height after the one resize."""
        return smart_resize(ref.width, ref.height, self._pixels.min, self._pixels.max)

    def image_tokens(self, ref: ImageRef) -> int:
        """Visual tokens of an image."""
        return image_tokens(*self.size(ref))

    def chat(self, messages: Sequence[Message], prefix: str) -> str:
        """ChatML text with the assistant turn opened and ``prefix`` already in it.

        Control tokens spelled out in the texts or the prefix are defused (``prm.defuse``).
        """
        parts = []
        for message in messages:
            images = "".join(
                f"{IMAGE_START}{IMAGE_PAD * self.image_tokens(ref)}{IMAGE_END}"
                for ref in message.images
            )
            text = self._defuse(message.text)
            parts.append(f"{TURN_START}{message.role}\n{images}{text}{TURN_END}\n")
        return "".join([*parts, f"{TURN_START}assistant\n", self._defuse(prefix)])

    def patches(self, refs: Sequence[ImageRef]) -> Patches | None:
        """Patches of images in order; None without images."""
        if not refs:
            return None
        found = [self._one(ref) for ref in refs]
        return Patches(
            torch.cat([item.pixel_values for item in found]),
            torch.cat([item.grid_thw for item in found]),
        )

    def grid(self, ref: ImageRef) -> tuple[int, int, int]:
        """Frames, rows and columns of an image's patches, without decoding it."""
        width, height = self.size(ref)
        return 1, height // PATCH, width // PATCH

    def ahead(self, refs: Iterable[ImageRef]) -> None:
        """Begin, in threads, with patches that will be asked for soon; stops at ``AHEAD_BYTES``.

        An image that cannot be read fails where it is asked for.
        """
        if self._pool is None:
            threads = min(AHEAD_THREADS, len(os.sched_getaffinity(0)))
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix="patches")
        planned = 0
        for ref in refs:
            planned += self._bytes(ref)
            if planned > AHEAD_BYTES:
                return
            if ref.sha256 not in self._patches and ref.sha256 not in self._coming:
                self._coming[ref.sha256] = self._pool.submit(self._make, ref)

    def _bytes(self, ref: ImageRef) -> int:
        _, high, wide = self.grid(ref)
        return high * wide * PATCH_NUMBERS * 4

    def _one(self, ref: ImageRef) -> Patches:
        known = self._patches.get(ref.sha256)
        if known is not None:
            self._patches.move_to_end(ref.sha256)
            return known
        coming = self._coming.pop(ref.sha256, None)
        made = self._make(ref) if coming is None else coming.result()
        self._patches[ref.sha256] = made
        self._kept += made.pixel_values.nbytes
        while self._kept > KEPT_BYTES and len(self._patches) > 1:
            _, old = self._patches.popitem(last=False)
            self._kept -= old.pixel_values.nbytes
        return made

    def _make(self, ref: ImageRef) -> Patches:
        image = self._store.open(ref)
        size = self.size(ref)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BICUBIC)
        out = self._processor(images=[image], return_tensors="pt")
        return Patches(out["pixel_values"], out["image_grid_thw"])
