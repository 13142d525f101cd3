"""Sampling: one uniform draw a token and row, so a draw never depends on the batch.

Both policy engines draw here: from equal logits a seed draws equal tokens in either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vlprm.records import Sampling

NUCLEUS = 1024
"""Most likely tokens in which a top-p set is looked for before a whole vocabulary is sorted."""
_MARGIN = 1e-6


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Uniform numbers in [0, 1), (seeds, count): row i is a function of seed i alone."""
    rows = [np.random.Generator(np.random.Philox(seed)).random(count) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def draw(logits: Tensor, chance: Tensor, sampling: Sampling, seen: Tensor | None) -> Tensor:
    """One token a row by inverse CDF.

    ``logits`` (rows, vocabulary) with barred tokens at -inf; ``chance`` (rows) uniform numbers;
    ``seen`` (rows, vocabulary) marks prompt and earlier tokens for the repetition penalty.
    Filters apply in the order of vLLM and transformers: penalty, temperature, top-k, top-p.
    Tokens tied with the last of the top k stay in.
    """
    if seen is not None and sampling.repetition_penalty != 1.0:
        logits, penalty = logits.double(), sampling.repetition_penalty
        punished = torch.where(logits > 0, logits / penalty, logits * penalty)
        logits = torch.where(seen, punished, logits)
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    logits, places, whole = _candidates(logits, sampling)
    logits = logits.double() / sampling.temperature
    if sampling.top_p < 1:
        total = whole if whole is not None else logits.logsumexp(dim=-1, keepdim=True)
        ordered, order = logits.sort(dim=-1, descending=True, stable=True)
        shares = (ordered - total).exp()
        outside = shares.cumsum(dim=-1) - shares >= sampling.top_p
        logits = logits.masked_fill(
            torch.zeros_like(outside).scatter(-1, order, outside), -torch.inf
        )
    mass = logits.softmax(dim=-1).cumsum(dim=-1)
    whole = mass[:, -1:]
    wanted = chance.to(mass.device)[:, None] * whole
    # below the whole even where the product is rounded up to it
    wanted = torch.minimum(wanted, torch.nextafter(whole, torch.zeros_like(whole)))
    # the first token whose cumulated share exceeds the draw: it has a share of its own
    found = torch.searchsorted(mass, wanted, right=True)
    # but for a GPU's sums, which may fall by a last bit from one token to the next
    bare = logits.gather(-1, found) == -torch.inf
    found = torch.where(bare, logits.argmax(dim=-1, keepdim=True), found)
    return (found if places is None else places.gather(-1, found))[:, 0]


def _candidates(logits: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The columns that can be drawn, and what their shares are counted in.

    Returns logits (rows, fewer columns), their token ids in ascending order (None: all columns)
    and, where columns with a share were left out, the log of every row's whole mass (rows, 1).
    Sorting 150,000 columns of every row takes longer than the model's step.
    """
    vocabulary = logits.shape[-1]
    if 0 < sampling.top_k < vocabulary:
        least = logits.topk(sampling.top_k, dim=-1).values[:, -1:]
        kept = logits >= least
        narrow, places = _largest(logits, int(kept.sum(dim=-1).max()))
        return narrow.masked_fill(narrow < least, -torch.inf), places, None
    if sampling.top_p < 1 and vocabulary > NUCLEUS:
        narrow, places = _largest(logits, NUCLEUS)
        whole = (logits.double() / sampling.temperature).logsumexp(dim=-1, keepdim=True)
        shares = (narrow.double() / sampling.temperature - whole).exp()
        # what ties with the last column may have been left out: it must not be needed
        safe = (shares * (narrow > narrow.amin(dim=-1, keepdim=True))).sum(dim=-1)
        if bool((safe > sampling.top_p + _MARGIN).all()):
            return narrow, places, whole
    return logits, None, None


def _largest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    places = logits.topk(count, dim=-1).indices.sort(dim=-1).values
    return logits.gather(-1, places), places
