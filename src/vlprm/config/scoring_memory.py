"""Memory of the packed scorer (``families.qwen25vl.packed``) from a text tower's shape.

``vlprm doctor`` and the scorer itself ask here, so that they cannot disagree.
"""

from __future__ import annotations

from typing import Protocol

KEYS_PER_TOKEN = 4
"""Keys gathered for a batch, at most, for each token it may hold: short answers to long questions
gather their question's keys many times."""
SLACK = 1.25
"""Memory over what tensors hold: the allocator's rounding, and gaps between batches."""
FIXED = 2_000_000_000
"""Bytes whatever the batch: the vision tower on ``VISION_PATCHES`` patches, cuBLAS, kernels."""


class TextTower(Protocol):
    """The numbers of a text tower that decide."""

    @property
    def hidden(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def mlp(self) -> int: ...


def bytes_per_token_scoring(text: TextTower, *, cards: int = 1, width: int = 2) -> int:
    """Bytes on each card for one more token in a batch; ``width`` bytes per number.

    The larger of a layer's two moments: in attention the hidden states, their norm, queries, the
    gathered keys and values, the mix; in the MLP hidden states, norm, gate and up, their product,
    the result. Over several cards the sums arrive as copies.
    """
    states = text.hidden * (3 if cards == 1 else 5)
    queries = text.heads * text.head_dim // cards
    keys = 2 * text.kv_heads * text.head_dim // cards
    attention = 2 * queries + keys * (1 + KEYS_PER_TOKEN)
    mlp = 3 * text.mlp // cards
    positions = 4 * 3 * text.head_dim * 4 // width  # float32 angles of three axes, at the start
    return int(width * (states + max(attention, mlp, positions)) * SLACK)


def scoring_tokens(text: TextTower, room: int, *, cards: int = 1, width: int = 2) -> int:
    """Tokens of a batch that fit ``room`` bytes of each card left beside the weights."""
    return max(0, room - FIXED) // bytes_per_token_scoring(text, cards=cards, width=width)


def batch_bound(wanted: int, fitting: int) -> int:
    """``wanted`` tokens, halved until they fit: a little less memory changes no batch."""
    while wanted > fitting and wanted > 1:
        wanted //= 2
    return wanted
