"""What ``tables`` and ``figures`` are told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.evaluation import TablesConfig
from vlprm.config.facts import facts
from vlprm.config.run import Config


class TablesSlice(Block):
    """Tables and figures."""

    sources: tuple[tuple[str, int], ...]
    """Sources and their number of shards."""
    policy: str
    """Who drew the labelled rollouts."""
    benchmarks: tuple[str, ...]
    tables: TablesConfig
    facts: dict[str, str]
    """What every table states: interval, draws, judge, versions."""
    searches: dict[str, str]
    """Searches and their kinds."""


def of(config: Config, shards: dict[str, int]) -> TablesSlice:
    """The slice of tables and figures; ``shards``: their number for each source."""
    return TablesSlice(
        sources=tuple((name, shards[name]) for name in config.sources),
        policy=config.labels.policy,
        benchmarks=tuple(config.evaluation.benchmarks),
        tables=config.tables,
        facts=facts(config),
        searches={name: item.kind for name, item in config.searches.items()},
    )
