"""Shapes of Qwen2.5-VL checkpoints, read off ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlprm.families.shapes import Shapes, TextShape, VisionShape


def shapes(config: Mapping[str, Any]) -> Shapes:
    """Both parts of a checkpoint.

    The text's fields stand flat (the Hub's files), below ``text_config`` (transformers 4.55), or
    both. Raises KeyError, TypeError or ValueError where they are absent.
    """
    text = {**config, **(config.get("text_config") or {})}
    vision = config["vision_config"]
    heads = int(text["num_attention_heads"])
    return Shapes(
        TextShape(
            hidden=int(text["hidden_size"]),
            layers=int(text["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(text["num_key_value_heads"]),
            head_dim=int(text.get("head_dim") or int(text["hidden_size"]) // heads),
            mlp=int(text["intermediate_size"]),
            vocab=int(text["vocab_size"]),
            tied=bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))),
            positions=int(text["max_position_embeddings"]),
        ),
        VisionShape(
            depth=int(vision.get("depth", 32)),
            hidden=int(vision["hidden_size"]),
            heads=int(vision.get("num_heads", 16)),
            mlp=int(vision.get("intermediate_size", 3420)),
            patch=int(vision.get("patch_size", 14)),
            merge=int(vision.get("spatial_merge_size", 2)),
            out=int(vision.get("out_hidden_size", text["hidden_size"])),
            frames=int(vision.get("temporal_patch_size", 2)),
            gated=True,
        ),
    )


def _tower(out: int, mlp: int = 3420) -> VisionShape:
    return VisionShape(
        depth=32, hidden=1280, heads=16, mlp=mlp, patch=14, merge=2, out=out, frames=2, gated=True
    )


# config.json of each repository at the revision that config.yaml pins
KNOWN: dict[str, Shapes] = {
    "Qwen/Qwen2.5-VL-3B-Instruct": Shapes(
        TextShape(2048, 36, 16, 2, 128, 11008, 151936, True, 128000), _tower(2048)
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": Shapes(
        TextShape(3584, 28, 28, 4, 128, 18944, 152064, False, 128000), _tower(3584)
    ),
    "Qwen/Qwen2.5-VL-32B-Instruct": Shapes(
        TextShape(5120, 64, 40, 8, 128, 27648, 152064, False, 128000), _tower(5120, 3456)
    ),
}
"""Shapes of the paper's models by repository."""
