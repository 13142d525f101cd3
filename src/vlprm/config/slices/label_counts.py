"""What ``label_counts`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.labels import Keep
from vlprm.config.run import Config


class LabelCountsSlice(Block):
    """Count rollouts, verdicts and labels as the published data were counted."""

    sources: tuple[tuple[str, int, str], ...]
    """Sources, their number of shards and their kind."""
    policy: str
    rule: str
    keep: Keep
    panel: tuple[str, ...]


def of(config: Config, shards: dict[str, int]) -> LabelCountsSlice:
    """The slice of the counts; ``shards``: their number for each source."""
    panel = config.labels.panel
    return LabelCountsSlice(
        sources=tuple(
            (name, shards[name], item.data.kind) for name, item in config.sources.items()
        ),
        policy=config.labels.policy,
        rule=config.labels.rule.name,
        keep=panel.keep if panel else "all",
        panel=tuple(panel.judges) if panel else (),
    )
