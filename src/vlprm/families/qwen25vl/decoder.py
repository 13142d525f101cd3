"""The text tower step by step, over a preallocated key-value cache.

transformers grows its cache by copying it at every token and repeats keys for every query head;
here a batch of several hundred answers decodes in place. Numbers equal the library's forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_multimodal_rotary_pos_emb

from vlprm.families.qwen25vl.inputs import Patches


@dataclass(slots=True)
class KeyValues:
    """Keys and values of every layer: (layers, rows, kv heads, room, head width)."""

    keys: Tensor
    values: Tensor
    length: int = 0

    def rows(self, index: Tensor, room: int | None = None) -> KeyValues:
        """The chosen rows (repeats allowed), with room for more tokens."""
        keys, values = self.keys[:, index], self.values[:, index]
        if room is not None and room != keys.shape[3]:
            shape = (*keys.shape[:3], room, keys.shape[4])
            wide_keys, wide_values = keys.new_empty(shape), values.new_empty(shape)
            wide_keys[..., : self.length, :] = keys[..., : self.length, :]
            wide_values[..., : self.length, :] = values[..., : self.length, :]
            keys, values = wide_keys, wide_values
        return KeyValues(keys, values, self.length)


class Decoder:
    """Embeds prompts with images and runs the text layers over a cache."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        self.model = model
        self.text: Any = model.model.language_model
        self.head: Any = model.lm_head
        attention = self.text.layers[0].self_attn
        self.kv_heads = int(attention.num_key_value_heads)
        self.heads = int(attention.num_heads)
        self.width = int(attention.head_dim)
        self.section = attention.rope_scaling["mrope_section"]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    def empty(self, rows: int, room: int) -> KeyValues:
        """A cache for ``rows`` sequences of at most ``room`` tokens."""
        shape = (len(self.text.layers), rows, self.kv_heads, room, self.width)
        options = {"dtype": self.head.weight.dtype, "device": self.device}
        return KeyValues(torch.empty(shape, **options), torch.empty(shape, **options))

    def embed(self, ids: Tensor, pixel_values: Tensor | None, grid: Tensor | None) -> Tensor:
        """Token embeddings (rows, tokens, width) with image features put in their places."""
        embedded: Tensor = self.text.embed_tokens(ids)
        if pixel_values is None:
            return embedded
        features = self.model.model.get_image_features(
            pixel_values.to(self.device, self.head.weight.dtype),
            grid.to(self.device),  # type: ignore[union-attr]
        )
        pads = ids == self.model.config.image_token_id
        return embedded.masked_scatter(pads.unsqueeze(-1), torch.cat(features).to(embedded.dtype))

    def positions(self, ids: Tensor, grid: Tensor | None) -> tuple[Tensor, Tensor]:
        """M-RoPE positions (3, rows, tokens) and the offset (rows) of later text tokens."""
        found, delta = self.model.model.get_rope_index(
            ids.cpu(), None if grid is None else grid.cpu(), None, None, torch.ones_like(ids.cpu())
        )
        return found.to(self.device), delta.reshape(-1).to(self.device)

    def prefill(self, ids: Tensor, patches: Patches | None) -> tuple[Tensor, Tensor, KeyValues]:
        """Read prompts (rows, tokens): their last hidden states, offsets and cache."""
        grid = patches.grid_thw if patches else None
        embedded = self.embed(ids, patches.pixel_values if patches else None, grid)
        positions, delta = self.positions(ids, grid)
        cache = self.empty(*ids.shape)
        return self.run(embedded, positions, cache)[:, -1], delta, cache

    def step(self, tokens: Tensor, delta: Tensor, cache: KeyValues) -> Tensor:
        """Read one more token (rows): hidden states (rows, width)."""
        positions = (delta + cache.length).expand(3, -1)[..., None]
        return self.run(self.text.embed_tokens(tokens[:, None]), positions, cache)[:, 0]

    def run(
        self, embedded: Tensor, positions: Tensor, cache: KeyValues, mask: Tensor | None = None
    ) -> Tensor:
        """Final hidden states of new tokens, appended to the cache.

        ``embedded`` (rows, new, width); ``positions`` (3, rows, new). Several new tokens see the
        cache and, causally, each other, unless ``mask`` (rows, 1, new, all) says otherwise.
        """
        rows, new, _ = embedded.shape
        start, stop = cache.length, cache.length + new
        if mask is None and new > 1 and start:
            mask = torch.ones(new, stop, dtype=torch.bool, device=embedded.device).tril(start)
        causal = mask is None and new > 1
        cos, sin = self.text.rotary_emb(embedded, positions)
        hidden = embedded
        for number, layer in enumerate(self.text.layers):
            attention = layer.self_attn
            normed = layer.input_layernorm(hidden)
            query = attention.q_proj(normed).view(rows, new, self.heads, -1).transpose(1, 2)
            key = attention.k_proj(normed).view(rows, new, self.kv_heads, -1).transpose(1, 2)
            value = attention.v_proj(normed).view(rows, new, self.kv_heads, -1).transpose(1, 2)
            query, key = apply_multimodal_rotary_pos_emb(query, key, cos, sin, self.section)
            cache.keys[number, :, :, start:stop] = key
            cache.values[number, :, :, start:stop] = value
            mixed = self._attend(
                query,
                cache.keys[number, :, :, :stop],
                cache.values[number, :, :, :stop],
                mask,
                causal,
            )
            hidden = hidden + attention.o_proj(mixed)
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        cache.length = stop
        out: Tensor = self.text.norm(hidden)
        return out

    def _attend(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, causal: bool
    ) -> Tensor:
        rows, _, new, _ = query.shape
        groups = self.heads // self.kv_heads
        if new == 1 and mask is None:
            # query heads of one key head stand side by side: no key is copied
            folded = query.reshape(rows, self.kv_heads, groups, self.width)
            mixed = scaled_dot_product_attention(folded, keys, values)
            return mixed.reshape(rows, 1, -1)
        mixed = scaled_dot_product_attention(
            query,
            keys.repeat_interleave(groups, dim=1),
            values.repeat_interleave(groups, dim=1),
            attn_mask=mask,
            is_causal=causal,
        )
        return mixed.transpose(1, 2).reshape(rows, new, -1)
