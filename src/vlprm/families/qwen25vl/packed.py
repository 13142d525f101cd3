"""One forward over conversations that share beginnings, packed without padding or a cache.

Tokens of a batch stand in one row: each question's prefix once, after it the rest of each of its
candidates. Products and norms run over all of them; in attention a candidate's queries see the keys
of its prefix and, causally, their own. Keys and values are gathered from the same layer (with 2 of
16 heads, 1.4 KB per token: about a hundredth of the layer's traffic), so none is kept from layer to
layer. Several devices hold a part of every layer each (``shards``) and the same hidden states.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear
from transformers import Qwen2_5_VLForConditionalGeneration

from vlprm.families.qwen25vl.attention import FLASH, Attention, Segments, causal_sdpa, flash, upload
from vlprm.families.qwen25vl.elementwise import Elementwise
from vlprm.families.qwen25vl.inputs import Patches
from vlprm.families.qwen25vl.shards import LayerShard, Shard, split

VISION_PATCHES = 32_768
"""Patches of one forward of the vision tower: bounds its activations. A larger image goes alone."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of tokens and, for a candidate, the number of the part it continues."""

    ids: tuple[int, ...]
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a forward cost, for floating-point counts: see ``bench/scoring_shape.py``."""

    tokens: int = 0
    pairs: int = 0
    """Query-key pairs of the text tower's causal attention, a head and layer."""
    patches: int = 0
    readouts: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.tokens + other.tokens,
            self.pairs + other.pairs,
            self.patches + other.patches,
            self.readouts + other.readouts,
        )


class _Layout:
    """Where parts stand in the row, and which keys each sees."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.lengths = [len(part.ids) for part in parts]
        starts = list(accumulate(self.lengths, initial=0))
        self.starts = starts[:-1]
        before = [0 if p.after is None else self.lengths[p.after] for p in parts]
        self.keys = [old + new for old, new in zip(before, self.lengths, strict=True)]
        spans = []
        for number, part in enumerate(parts):
            if part.after is not None:
                start = starts[part.after]
                spans.append(torch.arange(start, start + self.lengths[part.after]))
            spans.append(torch.arange(starts[number], starts[number + 1]))
        self.gather = torch.cat(spans) if any(before) else None
        self.pairs = sum(
            new * old + new * (new + 1) // 2 for old, new in zip(before, self.lengths, strict=True)
        )


@dataclass(frozen=True, slots=True)
class _Aids:
    """What every layer of one device needs besides weights."""

    cos: Tensor
    sin: Tensor
    gather: Tensor | None
    segments: Segments


class PackedDecoder:
    """Embeds packed conversations with images and runs the text layers over them."""

    def __init__(
        self,
        model: Qwen2_5_VLForConditionalGeneration,
        devices: Sequence[torch.device],
        attention: Attention,
        elementwise: Elementwise,
    ) -> None:
        """Takes the model over: its text layers move to the devices, the rest to the first."""
        self._model: Any = model
        self._text: Any = model.model.language_model
        self._attend = flash if attention.name == FLASH else None
        self._fused = elementwise
        section = self._text.config.rope_scaling["mrope_section"]
        self._sections = list(accumulate(section, initial=0))
        self.shards: list[Shard] = split(self._text, devices)
        self.device = devices[0]
        model.model.to(self.device)

    def rope(self, ids: Sequence[int], grid: Tensor | None) -> tuple[Tensor, int]:
        """M-RoPE positions (3, tokens) of a prefix, and the offset of text that follows it."""
        row = torch.tensor([ids])
        found, delta = self._model.model.get_rope_index(row, grid, None, None, torch.ones_like(row))
        return found[:, 0], int(delta)

    def run(
        self,
        parts: Sequence[Part],
        positions: Sequence[Tensor],
        patches: Patches | None,
        readouts: Sequence[Sequence[int]],
    ) -> tuple[Tensor, Work]:
        """Final hidden states (read-outs, width) at places ``readouts[i]`` of part i, in order.

        ``positions[i]`` (3, tokens of part i); ``patches`` of all image placeholders, in order.
        """
        layout = _Layout(parts)
        ids = torch.tensor([token for part in parts for token in part.ids])
        rows = torch.tensor(
            [s + at for s, places in zip(layout.starts, readouts, strict=True) for at in places],
            dtype=torch.long,
        )
        hidden = self._embed(ids, patches)
        places = upload(torch.cat(list(positions), dim=1), self.device)[:, None]
        cos, sin = self._angles(hidden, places)
        aids = [self._aids(shard, layout, cos, sin) for shard in self.shards]
        last = self._layers(hidden, aids, [upload(rows, shard.device) for shard in self.shards])
        work = Work(len(ids), layout.pairs, len(patches.pixel_values) if patches else 0, len(rows))
        return last, work

    def _embed(self, ids: Tensor, patches: Patches | None) -> Tensor:
        embedded: Tensor = self._text.embed_tokens(upload(ids, self.device))
        if patches is None:
            return embedded
        pads = torch.nonzero(ids == self._model.config.image_token_id)[:, 0]
        features = torch.cat([self._see(part) for part in _chunks(patches)])
        return embedded.index_copy(0, upload(pads, self.device), features.to(embedded.dtype))

    def _see(self, patches: Patches) -> Tensor:
        visual = self._model.model.visual
        pixels = upload(patches.pixel_values, self.device).to(visual.dtype)
        features: Tensor = visual(pixels, grid_thw=patches.grid_thw)
        return features

    def _angles(self, hidden: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines (tokens, head width / 2): each section from its axis."""
        both = self._text.rotary_emb(hidden, positions)
        spans = list(enumerate(zip(self._sections, self._sections[1:], strict=False)))
        cos, sin = (
            torch.cat([part[axis, 0, :, start:stop] for axis, (start, stop) in spans], dim=-1)
            for part in both
        )
        return cos.contiguous(), sin.contiguous()

    def _aids(self, shard: Shard, layout: _Layout, cos: Tensor, sin: Tensor) -> _Aids:
        device = shard.device
        gather = None if layout.gather is None else upload(layout.gather, device)
        segments = Segments(layout.lengths, layout.keys, device)
        return _Aids(cos.to(device), sin.to(device), gather, segments)

    def _layers(self, hidden: Tensor, aids: Sequence[_Aids], rows: Sequence[Tensor]) -> Tensor:
        """After the last layer's attention only the rows that are read go on."""
        states = [hidden.to(shard.device, copy=len(self.shards) > 1) for shard in self.shards]
        deltas: list[Tensor] | None = None
        count = len(self.shards[0].layers)
        for number in range(count):
            mixed = []
            for place, shard in enumerate(self.shards):
                with _on(shard.device):
                    layer = shard.layers[number]
                    normed = self._norm(states, deltas, place, layer.norm_in, shard.eps)
                    mixed.append(self._mix(normed, shard, layer, aids[place]))
            if number == count - 1:
                mixed = [part[row] for part, row in zip(mixed, rows, strict=True)]
                states = [part[row] for part, row in zip(states, rows, strict=True)]
            deltas = _summed(
                [linear(m, s.layers[number].out) for m, s in zip(mixed, self.shards, strict=True)]
            )
            del mixed
            grown = []
            for place, shard in enumerate(self.shards):
                with _on(shard.device):
                    layer = shard.layers[number]
                    normed = self._norm(states, deltas, place, layer.norm_mlp, shard.eps)
                    both = linear(normed, layer.gate_up)
                    grown.append(linear(self._fused.swiglu(both), layer.down))
            deltas = _summed(grown)
        last: Tensor = self._text.norm(states[0] + deltas[0] if deltas else states[0])
        return last

    def _norm(
        self,
        states: Sequence[Tensor],
        deltas: Sequence[Tensor] | None,
        place: int,
        weight: Tensor,
        eps: float,
    ) -> Tensor:
        if deltas is None:
            return self._fused.norm(states[place], weight, eps)
        return self._fused.add_norm(states[place], deltas[place], weight, eps)

    def _mix(self, normed: Tensor, shard: Shard, layer: LayerShard, aids: _Aids) -> Tensor:
        tokens, heads, kv_heads, width = len(normed), shard.heads, shard.kv_heads, shard.width
        qkv = linear(normed, layer.qkv, layer.qkv_bias)
        self._fused.rotate(qkv, aids.cos, aids.sin, heads + kv_heads)
        query = qkv[:, : heads * width].view(tokens, heads, width)
        seen = qkv[:, heads * width :]
        if aids.gather is not None:
            seen = seen.index_select(0, aids.gather)
        key, value = seen.view(-1, 2, kv_heads, width).unbind(1)
        if self._attend is None:
            mixed = causal_sdpa(query, key, value, aids.segments)
        else:
            mixed = self._attend(query, key, value, aids.segments, causal=True)
        return mixed.reshape(tokens, heads * width)


def _summed(parts: list[Tensor]) -> list[Tensor]:
    """The sum of all parts on every part's device, in one order: the copies stay equal."""
    if len(parts) == 1:
        return parts
    sums = []
    for mine in parts:
        total = parts[0].to(mine.device)
        for part in parts[1:]:
            total = total + part.to(mine.device, non_blocking=True)
        sums.append(total)
    return sums


def _on(device: torch.device) -> Any:
    """Kernels of Triton start on the current device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _chunks(patches: Patches) -> list[Patches]:
    """Whole images, up to ``VISION_PATCHES`` together."""
    sizes = patches.grid_thw.prod(-1).tolist()
    chunks, first, start, stop = [], 0, 0, 0
    for number, size in enumerate(sizes):
        if number > first and stop + size - start > VISION_PATCHES:
            pixels = patches.pixel_values[start:stop]
            chunks.append(Patches(pixels, patches.grid_thw[first:number]))
            first, start = number, stop
        stop += size
    chunks.append(Patches(patches.pixel_values[start:stop], patches.grid_thw[first:]))
    return chunks
