"""Training data of the mini base models: puzzles as token rows and image patches."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from transformers import Qwen2TokenizerFast
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from vlprm import prompts
from vlprm.config.matrix import MatrixSpec
from vlprm.prm.format import IMAGE_END, IMAGE_PAD, IMAGE_START, TURN_END, TURN_START
from vlprm.prm.resize import FACTOR
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_render import render
from vlprm.sources.matrix_text import answer, question, solution

PATCH, MERGE, TEMPORAL = 14, 2, 2
IGNORED = -100


@dataclass(frozen=True, slots=True)
class PuzzleSet:
    """Puzzles of equal image size, ready to batch.

    ``images`` (n, height, width, 3) uint8; ``tokens`` and ``labels`` (n, length), padded on the
    right; ``prompt`` tokens of the shared prompt; ``answers`` in words.
    """

    images: Tensor
    tokens: Tensor
    labels: Tensor
    prompt: int
    answers: tuple[str, ...]

    def to(self, device: str) -> PuzzleSet:
        """The same on a device."""
        return PuzzleSet(
            self.images.to(device),
            self.tokens.to(device),
            self.labels.to(device),
            self.prompt,
            self.answers,
        )


def puzzle_set(
    spec: MatrixSpec, seed: int, n: int, user_prompt: str, tokenizer: Qwen2TokenizerFast
) -> PuzzleSet:
    """Puzzles 0 to n-1 of a seed, rendered by all cores; the result is the same for any number."""
    workers = min(os.cpu_count() or 1, 16)
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        made = pool.map(partial(_make, spec, seed), range(n), chunksize=64)
    images = torch.from_numpy(np.stack([item[0] for item in made]))
    pads = images.shape[1] * images.shape[2] // FACTOR**2
    shown = prompts.render(user_prompt, question=made[0][1])
    prompt = (
        f"{TURN_START}user\n{IMAGE_START}{IMAGE_PAD * pads}{IMAGE_END}{shown}{TURN_END}\n"
        f"{TURN_START}assistant\n"
    )
    head = tokenizer.encode(prompt, add_special_tokens=False)
    rows = [head + tokenizer.encode(item[2] + TURN_END, add_special_tokens=False) for item in made]
    length = max(map(len, rows))
    pad = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tokens = torch.tensor([row + [pad] * (length - len(row)) for row in rows])
    labels = torch.tensor(
        [[IGNORED] * len(head) + row[len(head) :] + [IGNORED] * (length - len(row)) for row in rows]
    )
    return PuzzleSet(images, tokens, labels, len(head), tuple(item[3] for item in made))


def _make(spec: MatrixSpec, seed: int, index: int) -> tuple[np.ndarray, str, str, str]:
    puzzle = make_puzzle(spec, seed, index)
    return np.asarray(render(puzzle)), question(puzzle), solution(puzzle), answer(puzzle)


def patchify(images: Tensor) -> tuple[Tensor, Tensor]:
    """What ``Qwen2VLImageProcessor`` makes of equal images that need no resize, batched.

    ``images``: (n, height, width, 3) uint8. Returns patches (n·t·h·w, 1176) and grids (n, 3).
    """
    n, height, width, _ = images.shape
    rows, columns = height // PATCH, width // PATCH
    mean = torch.tensor(OPENAI_CLIP_MEAN, device=images.device)
    std = torch.tensor(OPENAI_CLIP_STD, device=images.device)
    pixels = ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)
    split = pixels.reshape(n, 3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
    # n, row block, column block, row, column, channel, patch row, patch column
    ordered = split.permute(0, 2, 5, 3, 6, 1, 4, 7)
    frames = ordered.unsqueeze(6).expand(*ordered.shape[:6], TEMPORAL, PATCH, PATCH)
    patches = frames.reshape(n * rows * columns, 3 * TEMPORAL * PATCH * PATCH)
    grid = torch.tensor([1, rows, columns], device=images.device).repeat(n, 1)
    return patches, grid
