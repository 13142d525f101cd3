"""Which attention runs: flash-attn where image, card and dtype allow it, torch's own elsewhere.

The one place that decides. flash-attn 2 takes sequences of different lengths side by side, without
padding or a mask (``flash_attn_varlen_func``, flash_attn_interface.py at 2.8.0.post2); torch's
``scaled_dot_product_attention`` (sdpa) is called once per sequence, or once per
group of equal ones.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from vlprm.errors import UserError
from vlprm.provenance import note

SWITCH = "VLPRM_ATTENTION"
"""Environment variable: ``auto`` (the default), or ``sdpa`` to compare without flash-attn."""
FLASH: Final = "flash_attention_2"
SDPA: Final = "sdpa"
IMAGE = Path("/opt/vlprm-image.json")
"""What a container image says of itself, flash-attn's architectures too."""


@dataclass(frozen=True, slots=True)
class Attention:
    """The implementation in use; ``name`` is transformers' ``attn_implementation``."""

    name: Literal["flash_attention_2", "sdpa"]
    version: str
    why: str

    @property
    def stated(self) -> str:
        """For manifests: ``flash_attention_2 2.8.0.post2``."""
        return f"{self.name} {self.version}"


def choose(device: torch.device | str, dtype: torch.dtype, widths: Collection[int]) -> Attention:
    """The implementation for a model of these head widths; noted for the stage's record.

    Raises UserError when flash-attn is installed and cannot be imported, or was compiled for
    another architecture than the card's, and for a switch that names nothing.
    """
    found = _choose(torch.device(device), dtype, widths)
    note("attention", found.stated)
    return found


def _choose(device: torch.device, dtype: torch.dtype, widths: Collection[int]) -> Attention:
    wanted = os.environ.get(SWITCH) or "auto"
    if wanted not in ("auto", SDPA):
        raise UserError(
            f"{wanted!r} is no attention", where=f"environment variable {SWITCH}", cure="auto, sdpa"
        )
    if wanted == SDPA:
        return _sdpa(f"{SWITCH}=sdpa")
    if device.type != "cuda":
        return _sdpa(f"flash-attn runs on NVIDIA GPUs only, this is {device.type}")
    if dtype not in (torch.bfloat16, torch.float16):
        return _sdpa(f"flash-attn computes in 16 bits, the model is in {dtype}")
    if importlib.util.find_spec("flash_attn") is None:
        return _sdpa("flash-attn is not installed")
    _fits(torch.cuda.get_device_capability(device))
    for width in sorted(set(widths)):
        missing = _try(device, dtype, width)
        if missing:
            return _sdpa(missing)
    return Attention(FLASH, importlib.metadata.version("flash-attn"), f"runs on {device}")


def _sdpa(why: str) -> Attention:
    return Attention(SDPA, f"torch {torch.__version__}", why)


def _fits(capability: tuple[int, int]) -> None:
    """Raise UserError unless flash-attn of this image holds code for the card.

    Machine code of compute capability x.y runs on x.z with z >= y, and on no other x. Outside a
    described image nothing is known; the trial call decides then.
    """
    if not IMAGE.is_file():
        return
    built = json.loads(IMAGE.read_text(encoding="utf-8")).get("flash_attn") or {}
    names = [str(name) for name in built.get("architectures", ())]
    pairs = [(int(name[:-1]), int(name[-1])) for name in names if name.isdigit()]
    major, minor = capability
    if pairs and not any(x == major and y <= minor for x, y in pairs):
        raise _other_card(capability, f"compiled for {', '.join(names)}")


def _other_card(capability: tuple[int, int], what: str) -> UserError:
    number = f"{capability[0]}{capability[1]}"
    return UserError(
        f"flash-attn does not run on this card (compute capability {number}): {what}",
        where="flash-attn of the image",
        cure=f"build the image with FLASH_ATTN_CUDA_ARCHS='{number}', or export {SWITCH}=sdpa",
    )


def _try(device: torch.device, dtype: torch.dtype, width: int) -> str | None:
    """One tiny call at this head width; what is missing, or None."""
    try:
        flash = importlib.import_module("flash_attn").flash_attn_varlen_func
    except Exception as error:  # a broken extension may raise anything
        raise UserError(
            f"flash-attn is installed and cannot be imported ({type(error).__name__}: {error})",
            where="the image's GPU libraries",
            cure=f"run the image's self-test, or export {SWITCH}=sdpa",
        ) from error
    row = torch.zeros(8, 1, width, dtype=dtype, device=device)
    bounds = torch.tensor([0, 8], dtype=torch.int32, device=device)
    try:
        flash(row, row, row, bounds, bounds, 8, 8, causal=True)
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        text = str(error).partition("\n")[0]
        if "compiled without" in text:  # containers/flash_attn_kernels.py: kernels left out
            return text
        raise _other_card(torch.cuda.get_device_capability(device), text) from error
    return None


class Segments:
    """Sequences that stand side by side: their query and key lengths on the host, and bounds.

    Each query segment attends to the key segment of the same number; causally the last query sees
    the last key (bottom right alignment, as flash-attn 2.1 and later has it).
    """

    def __init__(self, queries: Sequence[int], keys: Sequence[int], device: torch.device) -> None:
        self.queries, self.keys, self.device = tuple(queries), tuple(keys), device
        self.longest_query, self.longest_key = max(self.queries), max(self.keys)

    @cached_property
    def query_bounds(self) -> Tensor:
        """Where segments begin and end, int32 (segments + 1)."""
        return upload(torch.tensor(_bounds(self.queries), dtype=torch.int32), self.device)

    @cached_property
    def key_bounds(self) -> Tensor:
        """As ``query_bounds``, of the keys."""
        if self.keys == self.queries:
            return self.query_bounds
        return upload(torch.tensor(_bounds(self.keys), dtype=torch.int32), self.device)


def _bounds(lengths: Sequence[int]) -> list[int]:
    return list(accumulate(lengths, initial=0))


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """To the device without waiting for the work already queued there."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def flash(query: Tensor, key: Tensor, value: Tensor, segments: Segments, causal: bool) -> Tensor:
    """flash-attn over segments: (tokens, heads, width) each; keys may have fewer heads."""
    run: Any = importlib.import_module("flash_attn").flash_attn_varlen_func
    out: Tensor = run(
        query,
        key,
        value,
        segments.query_bounds,
        segments.key_bounds,
        segments.longest_query,
        segments.longest_key,
        causal=causal,
    )
    return out


def causal_sdpa(query: Tensor, key: Tensor, value: Tensor, segments: Segments) -> Tensor:
    """What ``flash(causal=True)`` computes, one call of sdpa a segment."""
    groups = query.shape[1] // key.shape[1]
    mixed = []
    spans = zip(pairwise(_bounds(segments.queries)), pairwise(_bounds(segments.keys)), strict=True)
    for (first, last), (start, stop) in spans:
        new, seen = last - first, stop - start
        mask = None
        if new != seen:
            mask = torch.ones(new, seen, dtype=torch.bool, device=query.device).tril(seen - new)
        part = scaled_dot_product_attention(
            query[None, first:last].transpose(1, 2),
            key[None, start:stop].transpose(1, 2).repeat_interleave(groups, dim=1),
            value[None, start:stop].transpose(1, 2).repeat_interleave(groups, dim=1),
            attn_mask=mask,
            is_causal=mask is None,
        )
        mixed.append(part[0].transpose(0, 1))
    return torch.cat(mixed)
