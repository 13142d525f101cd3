"""Loading a Qwen2.5-VL checkpoint, and its vision tower without the loop over images.

transformers 4.55.2 runs attention once an image (``Qwen2_5_VLVisionAttention.forward``); for
images of one size the same numbers come from one batched attention.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLVisionAttention,
    apply_rotary_pos_emb_vision,
)

from vlprm.determinism import TORCH, cpu_mode, in_force
from vlprm.errors import UserError
from vlprm.qwen.linear import use_onednn

Dtype = Literal["float32", "bfloat16"]
WEIGHTS = "model.safetensors"
"""The file of a checkpoint that is moved into place last: its presence means complete."""


def settle_torch(*, training: bool = False, on_gpu: bool = False) -> None:
    """Apply ``determinism.TORCH`` and the thread count of ``OMP_NUM_THREADS`` (1 if not set)."""
    torch.set_num_threads(int(in_force()["OMP_NUM_THREADS"]))
    torch.backends.cudnn.benchmark = TORCH.cudnn_benchmark
    if training:
        torch.use_deterministic_algorithms(TORCH.deterministic_algorithms, warn_only=on_gpu)


def load_model(
    model_dir: Path, *, dtype: Dtype, device: str = "cpu"
) -> Qwen2_5_VLForConditionalGeneration:
    """A checkpoint in evaluation mode, with batched vision attention.

    Raises UserError when the folder holds no checkpoint of this architecture.
    """
    settle_torch()
    try:
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            model_dir,
            torch_dtype=getattr(torch, dtype),
            attn_implementation="sdpa",
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"not a Qwen2.5-VL checkpoint ({error})",
            where=str(model_dir),
            cure="point the model's path at a folder with config.json and model.safetensors",
        ) from error
    batch_vision(model)
    if device == "cpu" and dtype == "float32" and cpu_mode() == "portable":
        use_onednn(model)
    return model.to(device).eval()


def batch_vision(model: Qwen2_5_VLForConditionalGeneration) -> None:
    """Replace the vision tower's per-image loops where a batch's images are equal in size."""
    visual: Any = model.model.visual
    visual.rot_pos_emb = _once(visual.rot_pos_emb, _tile_positions)
    visual.get_window_index = _once(visual.get_window_index, _tile_windows)
    for block in visual.blocks:
        attention: Qwen2_5_VLVisionAttention = block.attn
        attention.forward = _attention(attention)


def _once(
    plain: Callable[[Tensor], Any], tile: Callable[[Any, Tensor], Any]
) -> Callable[[Tensor], Any]:
    """Compute for one image and repeat, when all grids are equal."""

    def either(grid_thw: Tensor) -> Any:
        if len(grid_thw) > 1 and bool((grid_thw == grid_thw[:1]).all()):
            return tile(plain(grid_thw[:1]), grid_thw)
        return plain(grid_thw)

    return either


def _tile_positions(one: Tensor, grid_thw: Tensor) -> Tensor:
    return one.repeat(len(grid_thw), 1)


def _tile_windows(one: tuple[Tensor, list[int]], grid_thw: Tensor) -> tuple[Tensor, list[int]]:
    index, bounds = one
    count = len(grid_thw)
    shifts = torch.arange(count, device=index.device)[:, None] * len(index)
    length = bounds[-1]
    tiled = [0] + [image * length + bound for image in range(count) for bound in bounds[1:]]
    return (index[None, :] + shifts).reshape(-1), tiled


def _attention(attention: Qwen2_5_VLVisionAttention) -> Callable[..., Tensor]:
    plain = attention.forward

    def forward(
        hidden_states: Tensor,
        cu_seqlens: Tensor,
        rotary_pos_emb: Tensor | None = None,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        **extra: Any,
    ) -> Tensor:
        lengths = cu_seqlens[1:] - cu_seqlens[:-1]
        equal = bool((lengths == lengths[0]).all())
        if len(lengths) < 2 or not equal or position_embeddings is None:
            return plain(
                hidden_states,
                cu_seqlens=cu_seqlens,
                rotary_pos_emb=rotary_pos_emb,
                position_embeddings=position_embeddings,
                **extra,
            )
        tokens, parts, length = hidden_states.shape[0], len(lengths), int(lengths[0])
        qkv = attention.qkv(hidden_states).reshape(tokens, 3, attention.num_heads, -1)
        query, key, value = qkv.permute(1, 0, 2, 3).unbind(0)
        query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
        shape = (parts, length, attention.num_heads, -1)
        query, key, value = (p.reshape(shape).transpose(1, 2) for p in (query, key, value))
        mixed = scaled_dot_product_attention(query, key, value, scale=attention.scaling)
        flat = mixed.transpose(1, 2).reshape(tokens, -1).contiguous()
        out: Tensor = attention.proj(flat)
        return out

    return forward
