"""Names of shards: fixed blocks of a data set's rows."""

from __future__ import annotations


def shard_names(count: int) -> list[str]:
    """``000``, ``001``, ..."""
    return [f"{number:03d}" for number in range(count)]
