"""Training without padding: conversations side by side in one row, each attending to itself alone.

The text decoder's attention is flash-attn's call for sequences of different lengths where it is
installed (CUDA, 16 bits), and torch's, once per conversation, anywhere else: the same numbers up to
rounding. transformers 4.55.2 would ask the GPU once per layer where sequences begin
(``modeling_flash_attention_utils._is_packed_sequence``); here the batch says it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

from vlprm.determinism import TORCH
from vlprm.families.qwen25vl.attention import FLASH, choose
from vlprm.families.qwen25vl.model import Dtype

NAME = "vlprm_packed"
NO_MASK = {"full_attention": None, "sliding_attention": None}
"""In place of a mask: none is made from the positions, which begin anew with each conversation."""


def flash_runs(model: Any, device: str, dtype: Dtype) -> bool:
    """Whether flash-attn computes the text decoder's attention here."""
    width = int(model.model.language_model.layers[0].self_attn.head_dim)
    return choose(device, getattr(torch, dtype), {width}).name == FLASH


def use_packed(model: Any) -> None:
    """Give the text decoder attention for packed rows (the vision tower keeps its own)."""
    AttentionInterface.register(NAME, packed_attention)
    model.model.language_model.config._attn_implementation = NAME


def rotary_positions(model: Any) -> Callable[[Tensor, Tensor | None], Tensor]:
    """The model's own rotary positions (3, 1, n) of ids (1, n) and image grids, on the host.

    Holds the configuration alone, so that worker processes can have it.
    """
    own = SimpleNamespace(config=model.config)

    def positions(ids: Tensor, grid_thw: Tensor | None) -> Tensor:
        found: Tensor = Qwen2_5_VLModel.get_rope_index(own, ids, grid_thw)[0]
        return found

    return positions


@torch.compiler.disable  # type: ignore[untyped-decorator]
def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    cu_seqlens: Tensor,
    longest: int,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each conversation.

    ``query`` (1, heads, n, width), ``key`` and ``value`` (1, groups, n, width); ``cu_seqlens`` says
    where conversations begin and end, ``longest`` how long the longest is. Returns (1, n, heads,
    width). Called by ``Qwen2_5_VLAttention.forward`` (modeling_qwen2_5_vl.py:656 at 4.55.2).
    """
    del module, attention_mask
    if torch.is_autocast_enabled(query.device.type):  # rotary positions lift queries to float32
        query, key = query.to(value.dtype), key.to(value.dtype)
    if query.device.type == "cuda" and value.dtype != torch.float32:
        flash = importlib.import_module("flash_attn").flash_attn_varlen_func
        rows = [part.transpose(1, 2).squeeze(0) for part in (query, key, value)]
        out = flash(
            *rows,
            cu_seqlens_q=cu_seqlens,
            cu_seqlens_k=cu_seqlens,
            max_seqlen_q=longest,
            max_seqlen_k=longest,
            softmax_scale=scaling,
            causal=True,
            deterministic=TORCH.deterministic_algorithms,
        )
        return out.unsqueeze(0), None
    parts = [
        scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            is_causal=True,
            scale=scaling,
            enable_gqa=True,
        )
        for start, end in pairwise(cu_seqlens.tolist())
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None
