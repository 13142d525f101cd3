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
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from transformers import Qwen2TokenizerFast, Qwen2VLImageProcessor
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

from vlprm.errors import UserError
from vlprm.families.control_tokens import ControlTokens, control_tokens
from vlprm.families.family import Family, Images, PixelBounds
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


@dataclass(frozen=True, slots=True)
class Patches:
    """Processed images: patches (n, 1176) and grids (images, 3) in patches (t, h, w)."""

    pixel_values: Tensor
    grid_thw: Tensor


class QwenInputs:
    """Tokenizer and image processor of one checkpoint."""

    def __init__(self, family: Family, model_dir: Path, store: Images, pixels: PixelBounds) -> None:
        """Raises UserError for a folder without a Qwen tokenizer."""
        self._family, self._model_dir = family, model_dir
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
        self.pad = int(self.tokenizer.convert_tokens_to_ids("<|endoftext|>"))
        """Id of the token that fills batches."""
        self._defuse = self.control().defuse

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
        return self._family.images.size(ref, self._pixels)

    def image_tokens(self, ref: ImageRef) -> int:
        """Visual tokens of an image."""
        return self._family.images.tokens(ref, self._pixels)

    def chat(self, messages: Sequence[Message], prefix: str) -> str:
        """The family's chat text with the assistant turn opened and ``prefix`` already in it.

        Control tokens spelled out in the texts or the prefix are defused (``families.defuse``).
        """
        assert self._family.chat is not None  # the configuration asks for nothing else
        return self._family.chat(messages, prefix, self.image_tokens, self._defuse)

    def control(self, vocabulary: int | None = None) -> ControlTokens:
        """Control tokens; ``vocabulary``: rows of the output matrix."""
        return control_tokens(self._family.tokens, self._model_dir, self.tokenizer, vocabulary)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The text of every token, as bytes."""
        letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
        names = self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer))))
        special = set(self.tokenizer.all_special_tokens)
        return [
            name.encode() if name in special else bytes(letters[c] for c in name) for name in names
        ]

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
