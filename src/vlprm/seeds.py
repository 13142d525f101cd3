"""Seeds: every random choice belongs to a record, so shards and N never change a draw."""

from __future__ import annotations

import hashlib


def seed_for(run_seed: int, *parts: str | int) -> int:
    """A 63-bit seed that depends on the run's seed and on readable ids only.

    ``seed_for(7, "rollout", "matrix/train/12", 3)`` is the same on every machine, in
    every shard and for every number of rollouts.
    """
    text = "\x1f".join([str(run_seed), *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
