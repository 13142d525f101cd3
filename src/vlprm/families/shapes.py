"""Shapes of models: what a checkpoint's config.json says of its size, without any library.

Counts of parameters and bytes follow from them (``config.memory`` adds them up for a stage).
Everything here is arithmetic on integers; nothing looks at a card.
"""

from __future__ import annotations

from dataclasses import dataclass

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
