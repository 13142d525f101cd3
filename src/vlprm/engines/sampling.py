"""Sampling: one uniform draw a token and row, so a draw never depends on the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vlprm.records import Sampling


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Uniform numbers in [0, 1), (seeds, count): row i is a function of seed i alone."""
    rows = [np.random.Generator(np.random.Philox(seed)).random(count) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def draw(logits: Tensor, chance: Tensor, sampling: Sampling, seen: Tensor | None) -> Tensor:
    """One token a row by inverse CDF.

    ``logits`` (rows, vocabulary) with barred tokens at -inf; ``chance`` (rows) uniform numbers;
    ``seen`` (rows, vocabulary) marks prompt and earlier tokens for the repetition penalty.
    Filters apply in the order of vLLM and transformers: penalty, temperature, top-k, top-p.
    """
    logits = logits.double()
    if seen is not None and sampling.repetition_penalty != 1.0:
        penalty = sampling.repetition_penalty
        punished = torch.where(logits > 0, logits / penalty, logits * penalty)
        logits = torch.where(seen, punished, logits)
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if sampling.top_p < 1:
        ordered, places = logits.sort(dim=-1, descending=True, stable=True)
        shares = ordered.softmax(dim=-1)
        outside = shares.cumsum(dim=-1) - shares >= sampling.top_p
        logits = logits.masked_fill(
            torch.zeros_like(outside).scatter(-1, places, outside), -torch.inf
        )
    mass = logits.softmax(dim=-1).cumsum(dim=-1)
    wanted = chance.to(mass.device)[:, None] * mass[:, -1:]
    # the first token whose cumulated share exceeds the draw: it has a share of its own
    return torch.searchsorted(mass, wanted, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
