"""Two halves of the questions: what is chosen on one is reported on the other."""

from __future__ import annotations

from vlprm.seeds import seed_for

CHOOSING, REPORTING = 0, 1


def half_of(seed: int, sample_id: str) -> int:
    """0 or 1, by seed and question alone: the same in every shard, for every policy and PRM."""
    return seed_for(seed, "half", sample_id) % 2
