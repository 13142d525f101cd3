"""Shapes of Gemma 3 checkpoints, read off ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlprm.families.shapes import Shapes, TextShape, VisionShape


def shapes(config: Mapping[str, Any]) -> Shapes:
    """Both parts of a checkpoint.

    ``config.json`` leaves out what is the default of ``Gemma3TextConfig`` and
    ``SiglipVisionConfig``. Raises KeyError, TypeError, ValueError or ZeroDivisionError where the
    rest is absent.
    """
    text = {**config, **(config.get("text_config") or {})}
    vision = config["vision_config"]
    layers = int(text["num_hidden_layers"])
    patch, side = int(vision["patch_size"]), int(vision["image_size"])
    tokens = int(config.get("mm_tokens_per_image", 256))
    every = int(text.get("sliding_window_pattern") or 6)
    return Shapes(
        TextShape(
            hidden=int(text["hidden_size"]),
            layers=layers,
            heads=int(text.get("num_attention_heads", 8)),
            kv_heads=int(text.get("num_key_value_heads", 4)),
            head_dim=int(text.get("head_dim", 256)),
            mlp=int(text["intermediate_size"]),
            vocab=int(text.get("vocab_size", 262208)),
            tied=True,
            positions=int(text.get("max_position_embeddings", 131072)),
            window=int(text.get("sliding_window") or 0),
            windowed=layers - layers // every,
        ),
        VisionShape(
            depth=int(vision["num_hidden_layers"]),
            hidden=int(vision["hidden_size"]),
            heads=int(vision["num_attention_heads"]),
            mlp=int(vision["intermediate_size"]),
            patch=patch,
            merge=round(side / patch / tokens**0.5),
            out=int(text["hidden_size"]),
        ),
    )


def _siglip(out: int) -> VisionShape:
    return VisionShape(depth=27, hidden=1152, heads=16, mlp=4304, patch=14, merge=4, out=out)


# config.json of each repository at the revision that config.yaml pins
KNOWN: dict[str, Shapes] = {
    "google/gemma-3-12b-it": Shapes(
        TextShape(3840, 48, 16, 8, 256, 15360, 262208, True, 131072, 1024, 40), _siglip(3840)
    ),
    "google/gemma-3-27b-it": Shapes(
        TextShape(5376, 62, 32, 16, 128, 21504, 262208, True, 131072, 1024, 52), _siglip(5376)
    ),
}
"""Shapes of the paper's models by repository."""
