"""A checkpoint whose favourite token is one that must not be drawn."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.unit.puzzles import CPU, GREEDY, SMALL, questions, request, small
from vlprm.engines.hf_policy import HFPolicy

IMAGE_PAD = 455
"""``<|image_pad|>`` of the mini checkpoints."""
_EMBEDDING = "model.embed_tokens.weight"


def favouring(folder: Path, token: int = IMAGE_PAD) -> Path:
    """A copy of the small checkpoint that gives ``token`` by far the largest logit.

    Output and input embedding are one matrix: the token's row becomes the mean of the hidden
    states that are read out, ten times as long as needed. A placeholder's row is never read as
    input, so prompts mean what they meant.
    """
    samples, store = questions(2)
    policy = HFPolicy(SMALL, store, small(), CPU)
    states: list[torch.Tensor] = []
    handle = policy._decoder.head.register_forward_pre_hook(
        lambda _, inputs: states.append(inputs[0])
    )
    policy.generate([request(sample, (0,)) for sample in samples], GREEDY)
    handle.remove()
    mean = torch.cat([state.reshape(-1, state.shape[-1]) for state in states]).mean(0)
    shutil.copytree(SMALL, folder)
    path = folder / "model.safetensors"
    weights = load_file(path)
    largest = weights[_EMBEDDING].float().norm(dim=-1).max()
    weights[_EMBEDDING][token] = (10 * largest * mean / mean.norm()).to(torch.bfloat16)
    save_file(weights, path, metadata={"format": "pt"})
    return folder
