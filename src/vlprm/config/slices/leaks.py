"""What ``fingerprint`` and ``leaks`` are told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.leaks import LeakCheck
from vlprm.config.run import Config


class FingerprintSlice(Block):
    """Fingerprint one shard of a data set."""

    ignore: tuple[str, ...]


class LeaksSlice(Block):
    """Look for the benchmarks' questions among the sources'."""

    sources: tuple[tuple[str, int], ...]
    """Sources and their number of shards."""
    benchmarks: tuple[tuple[str, int], ...]
    tolerance: int | None
    drop: tuple[str, ...]
    """Kinds that are left out of the training; for the page."""


def fingerprint(config: Config) -> FingerprintSlice:
    """The slice of the fingerprints of every shard."""
    return FingerprintSlice(ignore=_asked(config).ignore)


def of(config: Config, shards: dict[str, int]) -> LeaksSlice:
    """The slice of the search; ``shards``: their number for each data set."""
    return LeaksSlice(
        sources=tuple((name, shards[name]) for name in config.sources),
        benchmarks=tuple((name, shards[name]) for name in config.evaluation.benchmarks),
        tolerance=_asked(config).tolerance,
        drop=_asked(config).drop,
    )


def _asked(config: Config) -> LeakCheck:
    if config.leaks is None:
        raise ValueError("leaks is null")
    return config.leaks
