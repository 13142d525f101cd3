"""Loading a Qwen2.5-VL checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from vlprm.determinism import TORCH, cpu_mode, in_force
from vlprm.errors import UserError
from vlprm.families.qwen25vl import vision
from vlprm.families.qwen25vl.attention import Attention, choose
from vlprm.families.qwen25vl.linear import use_onednn

Dtype = Literal["float32", "bfloat16"]
WEIGHTS = "model.safetensors"
"""The file of a checkpoint that is moved into place last: its presence means complete."""
BESIDE_WEIGHTS = (
    "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json",
    "special_tokens_map.json", "chat_template.jinja", "chat_template.json",
    "preprocessor_config.json", "video_preprocessor_config.json",
)  # fmt: skip
"""Files of a checkpoint that training leaves as they are, where they are there."""


def settle_torch(*, training: bool = False, on_gpu: bool = False) -> None:
    """Apply ``determinism.TORCH`` and the thread count of ``OMP_NUM_THREADS`` (1 if not set)."""
    torch.set_num_threads(int(in_force()["OMP_NUM_THREADS"]))
    torch.backends.cudnn.benchmark = TORCH.cudnn_benchmark
    if training:
        torch.use_deterministic_algorithms(TORCH.deterministic_algorithms, warn_only=on_gpu)


def read_model(model_dir: Path, *, dtype: Dtype) -> Qwen2_5_VLForConditionalGeneration:
    """A checkpoint in evaluation mode in host memory (mapped from its file where dtypes agree).

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
    return model.eval()


def load_model(
    model_dir: Path, *, dtype: Dtype, device: str = "cpu"
) -> Qwen2_5_VLForConditionalGeneration:
    """A checkpoint in evaluation mode on a device, with batched vision attention.

    Raises UserError when the folder holds no checkpoint of this architecture.
    """
    model = read_model(model_dir, dtype=dtype).to(device)
    batch_vision(model)
    if device == "cpu" and dtype == "float32" and cpu_mode() == "portable":
        use_onednn(model)
    return model


def batch_vision(
    model: Qwen2_5_VLForConditionalGeneration, attention: Attention | None = None
) -> None:
    """Give the vision tower batched attention (``vision``): ``attention``, or what fits."""
    if attention is None:
        weight = model.lm_head.weight
        attention = choose(weight.device, weight.dtype, head_widths(model))
    vision.batch(model.model.visual, attention)


def head_widths(model: Qwen2_5_VLForConditionalGeneration) -> set[int]:
    """Widths of the attention heads of both towers."""
    visual: Any = model.model.visual
    text: Any = model.model.language_model
    return {int(visual.blocks[0].attn.head_dim), int(text.layers[0].self_attn.head_dim)}
