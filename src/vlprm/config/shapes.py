"""Shapes of models: what a checkpoint's config.json says of its size, without any library.

Counts of parameters and bytes follow from them (``config.memory`` adds them up for a stage).
Everything here is arithmetic on integers; nothing looks at a card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES = {"float32": 4, "bfloat16": 2}
"""Bytes of one number of a ``ModelConfig.dtype``."""


@dataclass(frozen=True, slots=True)
class TextShape:
    """The language model: widths in numbers, ``layers`` and heads in counts."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocab: int
    tied: bool
    """Whether the head's weights are the embedding's."""
    positions: int
    """The longest sequence that the checkpoint states; vLLM's default limit."""
    window: int = 0
    windowed: int = 0
    """Layers that see the last ``window`` tokens only (Gemma 3: five of six)."""

    def layer_parameters(self) -> int:
        """Weights of one layer; biases and norms (below 0.1 %) are left out."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return attention + 3 * self.hidden * self.mlp

    def parameters(self) -> int:
        """Weights of layers, embedding and head."""
        ends = self.vocab * self.hidden * (1 if self.tied else 2)
        return self.layers * self.layer_parameters() + ends

    def cache_numbers(self, tokens: int) -> int:
        """Numbers of keys and values of one sequence of ``tokens``."""
        seen = min(tokens, self.window)
        rows = (self.layers - self.windowed) * tokens + self.windowed * seen
        return 2 * self.kv_heads * self.head_dim * rows


@dataclass(frozen=True, slots=True)
class VisionShape:
    """The vision tower and what joins its patches to image tokens."""

    depth: int
    hidden: int
    heads: int
    mlp: int
    patch: int
    """Side of a patch in pixels."""
    merge: int
    """An image token comes from ``merge`` x ``merge`` patches."""
    out: int
    frames: int = 1
    """Frames of one patch (Qwen2.5-VL: 2, an image is shown twice)."""
    gated: bool = False
    """Three matrices of an MLP (Qwen2.5-VL), not two."""

    def parameters(self) -> int:
        """Weights of blocks, patch embedding and merger."""
        block = 4 * self.hidden**2 + (3 if self.gated else 2) * self.hidden * self.mlp
        pixels = 3 * self.frames * self.patch**2
        joined = self.hidden * self.merge**2
        merger = joined * (joined + self.out) if self.gated else self.hidden * self.out
        return self.depth * block + pixels * self.hidden + merger

    def patches(self, tokens: int) -> int:
        """Patches behind so many image tokens."""
        return tokens * self.merge**2


@dataclass(frozen=True, slots=True)
class Shapes:
    """Both parts of a vision-language model."""

    text: TextShape
    vision: VisionShape

    def parameters(self) -> int:
        """All weights."""
        return self.text.parameters() + self.vision.parameters()

    def splits(self, cards: int, engine: str) -> str | None:
        """Why an engine cannot split this model over ``cards``; None: it can.

        vLLM repeats key heads where there are fewer than cards (0.10.1.1, ``QKVParallelLinear``);
        the transformers scorer gives every card whole ones.
        """
        counts = {"heads": self.text.heads, "key-value heads": self.text.kv_heads}
        if engine == "vllm":
            del counts["key-value heads"]
            if self.vision.gated:  # Qwen2.5-VL's tower is split too
                counts["vision heads"] = self.vision.heads
        for name, count in counts.items():
            if count % cards:
                return f"{count} {name} do not divide by {cards}"
        return None


def read_shapes(folder: Path) -> Shapes | None:
    """The shapes of a checkpoint; None where its config.json is not there or of another family.

    Qwen2.5-VL writes the text's fields flat (the Hub's files), nested below ``text_config``
    (transformers 4.55), or both; Gemma 3 nests them and leaves out its defaults
    (``Gemma3TextConfig``, ``SiglipVisionConfig``).
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = config["model_type"]
        text = {**config, **(config.get("text_config") or {})}
        vision = config["vision_config"]
        if kind == "qwen2_5_vl":
            return _qwen(text, vision, config)
        if kind == "gemma3":
            return _gemma(text, vision, config)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None
    return None


def _qwen(text: Mapping[str, Any], vision: Mapping[str, Any], config: Mapping[str, Any]) -> Shapes:
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


def _gemma(text: Mapping[str, Any], vision: Mapping[str, Any], config: Mapping[str, Any]) -> Shapes:
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


def _qwen_tower(out: int, mlp: int = 3420) -> VisionShape:
    return VisionShape(
        depth=32, hidden=1280, heads=16, mlp=mlp, patch=14, merge=2, out=out, frames=2, gated=True
    )


def _siglip(out: int) -> VisionShape:
    return VisionShape(depth=27, hidden=1152, heads=16, mlp=4304, patch=14, merge=4, out=out)


# config.json of each repository at the revision that config.yaml pins
KNOWN: dict[str, Shapes] = {
    "Qwen/Qwen2.5-VL-3B-Instruct": Shapes(
        TextShape(2048, 36, 16, 2, 128, 11008, 151936, True, 128000), _qwen_tower(2048)
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": Shapes(
        TextShape(3584, 28, 28, 4, 128, 18944, 152064, False, 128000), _qwen_tower(3584)
    ),
    "Qwen/Qwen2.5-VL-32B-Instruct": Shapes(
        TextShape(5120, 64, 40, 8, 128, 27648, 152064, False, 128000), _qwen_tower(5120, 3456)
    ),
    "google/gemma-3-12b-it": Shapes(
        TextShape(3840, 48, 16, 8, 256, 15360, 262208, True, 131072, 1024, 40), _siglip(3840)
    ),
    "google/gemma-3-27b-it": Shapes(
        TextShape(5376, 62, 32, 16, 128, 21504, 262208, True, 131072, 1024, 52), _siglip(5376)
    ),
}
"""Shapes of the paper's models, for before their files are there: repository -> shapes."""
