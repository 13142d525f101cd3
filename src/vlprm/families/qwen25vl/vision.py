"""The vision tower without its loops over images and windows.

transformers 4.55.2 runs attention once a window (``Qwen2_5_VLVisionAttention.forward``), 700 to
2,500 calls per image, and walks the grids on the device (``get_window_index``, ``rot_pos_emb``).
Here the plan of a batch is made on the host, once a size of image; attention is one call of
flash-attn over all windows, or one sdpa call for each length of window that occurs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLVisionAttention,
    apply_rotary_pos_emb_vision,
)

from vlprm.families.qwen25vl.attention import FLASH, Attention, Segments, flash, upload

_Grid = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _ImagePlan:
    """One size of image: all on the host."""

    order: Tensor
    """Merged patches in the order of windows."""
    windows: tuple[int, ...]
    """Patches of each window."""
    frames: tuple[int, ...]
    """Patches of each frame: where attention is over all of it."""
    positions: Tensor
    """Row and column of each patch (patches, 2)."""


class Windows(Segments):
    """Segments of one layer's attention, with the groups of equal length that sdpa batches."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        super().__init__(lengths, lengths, device)

    @cached_property
    def groups(self) -> list[tuple[int, Tensor]]:
        """Length and, for every window of it, the places of its patches (flat)."""
        starts: dict[int, list[int]] = defaultdict(list)
        at = 0
        for length in self.queries:
            starts[length].append(at)
            at += length
        return [
            (length, (torch.tensor(firsts)[:, None] + torch.arange(length)).reshape(-1))
            for length, firsts in starts.items()
        ]

    @cached_property
    def back(self) -> Tensor:
        """Where each patch stands in the concatenation of the groups."""
        return torch.argsort(torch.cat([index for _, index in self.groups]))


def batch(visual: Any, attention: Attention) -> None:
    """Give a ``Qwen2_5_VisionTransformerPretrainedModel`` the forward of this module.

    Works under autograd and gradient checkpointing; the numbers are the library's.
    """
    plan = _planner(visual.get_window_index, visual)
    for block in visual.blocks:
        block.attn.forward = _attention(block.attn, attention)

    def forward(hidden_states: Tensor, grid_thw: Tensor, **extra: Any) -> Tensor:
        hidden = visual.patch_embed(hidden_states)
        device, unit = hidden.device, visual.spatial_merge_unit
        images = [plan(_grid(row)) for row in grid_thw.tolist()]
        order, positions, windows, frames = _joined(images, device)
        table = visual.rotary_pos_emb(int(grid_thw[:, 1:].max()))
        rotary = table[positions].flatten(1)
        rotary = rotary.reshape(len(order), unit, -1)[order].reshape(hidden.shape[0], -1)
        emb = torch.cat((rotary, rotary), dim=-1)
        cos_sin = (emb.cos(), emb.sin())
        hidden = hidden.reshape(len(order), unit, -1)[order].reshape(hidden.shape[0], -1)
        for number, block in enumerate(visual.blocks):
            now = frames if number in visual.fullatt_block_indexes else windows
            hidden = block(
                hidden, cu_seqlens=None, position_embeddings=cos_sin, segments=now, **extra
            )
        merged: Tensor = visual.merger(hidden)[torch.argsort(order)]
        return merged

    visual.forward = forward


def _grid(row: Sequence[int]) -> _Grid:
    frames, high, wide = row
    return frames, high, wide


def _planner(window_index: Callable[[Tensor], Any], visual: Any) -> Callable[[_Grid], _ImagePlan]:
    known: dict[_Grid, _ImagePlan] = {}
    merge = int(visual.spatial_merge_size)

    def plan(grid: _Grid) -> _ImagePlan:
        if grid not in known:
            order, bounds = window_index(torch.tensor([grid]))
            lengths = [stop - start for start, stop in pairwise(bounds)]
            frames, high, wide = grid
            rows = torch.arange(high)[:, None].expand(-1, wide)
            columns = torch.arange(wide)[None].expand(high, -1)
            shape = (high // merge, merge, wide // merge, merge)
            places = [axis.reshape(shape).permute(0, 2, 1, 3).flatten() for axis in (rows, columns)]
            known[grid] = _ImagePlan(
                order,
                tuple(length for length in lengths if length),
                (high * wide,) * frames,
                torch.stack(places, dim=-1).repeat(frames, 1),
            )
        return known[grid]

    return plan


def _joined(
    images: Sequence[_ImagePlan], device: torch.device
) -> tuple[Tensor, Tensor, Windows, Windows]:
    """Order and positions on the device, windows and frames, of images one after another."""
    shifted, start = [], 0
    for image in images:
        shifted.append(image.order + start)
        start += len(image.order)
    return (
        upload(torch.cat(shifted), device),
        upload(torch.cat([image.positions for image in images]), device),
        Windows([length for image in images for length in image.windows], device),
        Windows([length for image in images for length in image.frames], device),
    )


def _attention(
    attention: Qwen2_5_VLVisionAttention, implementation: Attention
) -> Callable[..., Tensor]:
    mix = _flash if implementation.name == FLASH else _sdpa

    def forward(
        hidden_states: Tensor,
        cu_seqlens: Tensor | None = None,  # noqa: ARG001 - the library's block passes it
        rotary_pos_emb: Tensor | None = None,  # noqa: ARG001 - the library's block passes it
        *,
        position_embeddings: tuple[Tensor, Tensor],
        segments: Windows,
    ) -> Tensor:
        tokens = hidden_states.shape[0]
        qkv = attention.qkv(hidden_states).reshape(tokens, 3, attention.num_heads, -1)
        query, key, value = qkv.permute(1, 0, 2, 3).unbind(0)
        query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
        mixed = mix(query, key, value, segments, attention.scaling)
        out: Tensor = attention.proj(mixed.reshape(tokens, -1))
        return out

    return forward


def _flash(query: Tensor, key: Tensor, value: Tensor, windows: Windows, _: float) -> Tensor:
    return flash(query, key, value, windows, causal=False)  # its scale is width ** -0.5, as ours


def _sdpa(query: Tensor, key: Tensor, value: Tensor, windows: Windows, scale: float) -> Tensor:
    """One batched attention for each length of window: (patches, heads, width)."""
    if len(windows.groups) == 1:
        return _equal(query, key, value, windows.queries[0], scale)
    parts = [
        _equal(query[index], key[index], value[index], length, scale)
        for length, index in windows.groups
    ]
    return torch.cat(parts)[windows.back]


def _equal(query: Tensor, key: Tensor, value: Tensor, length: int, scale: float) -> Tensor:
    shape = (query.shape[0] // length, length, query.shape[1], -1)
    query, key, value = (part.reshape(shape).transpose(1, 2) for part in (query, key, value))
    mixed = scaled_dot_product_attention(query, key, value, scale=scale)
    return mixed.transpose(1, 2).reshape(-1, query.shape[1], query.shape[3])
