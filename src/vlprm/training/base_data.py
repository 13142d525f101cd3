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
from vlprm.families.qwen25vl.chat import IMAGE_END, IMAGE_PAD, IMAGE_START, TURN_END, TURN_START
from vlprm.families.qwen25vl.resize import FACTOR
from vlprm.seeds import seed_for
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_claims import claims
from vlprm.sources.matrix_render import render
from vlprm.sources.matrix_text import answer, question, solution

PATCH, MERGE, TEMPORAL = 14, 2, 2
IGNORED = -100
ASK = "Right or wrong?"
SAID = {True: "yes", False: "no"}
Turns = list[tuple[str, str]]
"""User text and assistant text, turn after turn; the image stands before the first."""


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
    spec: MatrixSpec,
    seed: int,
    n: int,
    user_prompt: str,
    tokenizer: Qwen2TokenizerFast,
    share: float = 0.0,
) -> PuzzleSet:
    """Puzzles 0 to n-1 of a seed, rendered by all cores; the result is the same for any number.

    ``share`` of them come as yes/no questions, the others with their solution.
    """
    workers = min(os.cpu_count() or 1, 16)
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        made = pool.map(partial(_make, spec, seed, user_prompt, share), range(n), chunksize=64)
    images = torch.from_numpy(np.stack([item[0] for item in made]))
    pads = images.shape[1] * images.shape[2] // FACTOR**2
    rows = [_row(item[1], pads, tokenizer) for item in made]
    length = max(len(ids) for ids, _ in rows)
    pad = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tokens = torch.tensor([ids + [pad] * (length - len(ids)) for ids, _ in rows])
    labels = torch.tensor([seen + [IGNORED] * (length - len(seen)) for _, seen in rows])
    prompt = next(place for place, label in enumerate(rows[0][1]) if label != IGNORED)
    return PuzzleSet(images, tokens, labels, prompt, tuple(item[2] for item in made))


def _make(
    spec: MatrixSpec, seed: int, user_prompt: str, share: float, index: int
) -> tuple[np.ndarray, Turns, str]:
    puzzle = make_puzzle(spec, seed, index)
    rng = np.random.default_rng(seed_for(seed, "claims", index))
    if rng.random() < share:
        turns = [(text, SAID[right]) for text, right in claims(puzzle, rng)]
        turns[0] = (f"{ASK}\n{turns[0][0]}", turns[0][1])
    else:
        turns = [(prompts.render(user_prompt, question=question(puzzle)), solution(puzzle))]
    return np.asarray(render(puzzle)), turns, answer(puzzle)


def _row(turns: Turns, pads: int, tokenizer: Qwen2TokenizerFast) -> tuple[list[int], list[int]]:
    """Token ids of a conversation and the labels: what the assistant says, and its turn's end."""
    ids: list[int] = []
    seen: list[int] = []
    shown = f"{IMAGE_START}{IMAGE_PAD * pads}{IMAGE_END}"
    for user, assistant in turns:
        asked = f"{TURN_START}user\n{shown}{user}{TURN_END}\n{TURN_START}assistant\n"
        head = tokenizer.encode(asked, add_special_tokens=False)
        said = tokenizer.encode(assistant + TURN_END, add_special_tokens=False)
        after = tokenizer.encode("\n", add_special_tokens=False)
        ids += head + said + after
        seen += [IGNORED] * len(head) + said + [IGNORED] * len(after)
        shown = ""
    return ids, seen


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
