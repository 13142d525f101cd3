"""The text tower's weights laid out for the packed forward, whole or split over several cards.

Products that share an input are one (query, key and value; gate and up). Over n devices each
holds the heads and the MLP columns of its part: n-th rows of those products, n-th columns of the
ones that follow, whose partial sums are added (Megatron-LM, arXiv 1909.08053, section 3). Query
head h reads key head h // (heads / kv heads), so equal parts of both belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vlprm.errors import UserError


@dataclass(frozen=True, slots=True)
class LayerShard:
    """One layer's part on one device; products are (out, in)."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor
    norm_in: Tensor
    norm_mlp: Tensor


@dataclass(frozen=True, slots=True)
class Shard:
    """All layers on one device, with its numbers of heads."""

    device: torch.device
    heads: int
    kv_heads: int
    width: int
    eps: float
    layers: tuple[LayerShard, ...]


def check_split(heads: int, kv_heads: int, mlp: int, parts: int) -> None:
    """Raise UserError unless the text tower splits into equal parts."""
    if any(count % parts for count in (heads, kv_heads, mlp)):
        raise UserError(
            f"a model of {heads} heads, {kv_heads} key-value heads and {mlp} MLP columns does not"
            f" split over {parts} GPUs",
            where="models.*.gpus",
            cure=f"set gpus to a divisor of {kv_heads}",
        )


def split(text: Any, devices: Sequence[torch.device]) -> list[Shard]:
    """Move the layers of a text tower to the devices, a part each; the tower's own are emptied.

    Weights come layer by layer from where they are (a checkpoint mapped into memory on the CPU), so
    no device ever holds more than its part and one layer.
    """
    attention = text.layers[0].self_attn
    heads, kv_heads = int(attention.num_heads), int(attention.num_key_value_heads)
    mlp = int(text.layers[0].mlp.gate_proj.weight.shape[0])
    parts = len(devices)
    check_split(heads, kv_heads, mlp, parts)
    made: list[list[LayerShard]] = [[] for _ in devices]
    layers, text.layers = text.layers, nn.ModuleList()
    for number in range(len(layers)):
        layer, layers[number] = layers[number], nn.Identity()
        for place, device in enumerate(devices):
            made[place].append(_layer(layer, place, parts, device))
    return [
        Shard(
            device,
            heads // parts,
            kv_heads // parts,
            int(attention.head_dim),
            float(text.norm.variance_epsilon),
            tuple(made[place]),
        )
        for place, device in enumerate(devices)
    ]


def _layer(layer: Any, place: int, parts: int, device: torch.device) -> LayerShard:
    attention, mlp = layer.self_attn, layer.mlp

    def rows(*tensors: Tensor) -> Tensor:
        return torch.cat([t.detach().chunk(parts)[place].to(device) for t in tensors])

    def columns(tensor: Tensor) -> Tensor:
        part = tensor.detach().chunk(parts, dim=1)[place]
        return part.to(device).contiguous()

    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    return LayerShard(
        qkv=rows(*(p.weight for p in projections)),
        qkv_bias=rows(*(p.bias for p in projections)),
        out=columns(attention.o_proj.weight),
        gate_up=rows(mlp.gate_proj.weight, mlp.up_proj.weight),
        down=columns(mlp.down_proj.weight),
        norm_in=layer.input_layernorm.weight.detach().to(device),
        norm_mlp=layer.post_attention_layernorm.weight.detach().to(device),
    )
