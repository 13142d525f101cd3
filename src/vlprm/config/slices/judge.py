"""What ``judge`` and ``judges`` are told."""

from __future__ import annotations

from vlprm.config.block import Block, later
from vlprm.config.labels import JudgeConfig
from vlprm.config.run import Config


class JudgeSlice(Block):
    """Ask a judge for the first wrong step."""

    judge: JudgeConfig
    panel: str | None = later(None, "its name beside the judge whose word the label rule takes")


class JudgesSlice(Block):
    """Compare the judges of the sources' rollouts."""

    sources: tuple[tuple[str, int], ...]
    """Sources and their number of shards."""
    policy: str
    first: str
    """Name of the judge whose word the label rule takes."""
    panel: tuple[str, ...]
    keep: str
    confidence: float


def of(config: Config, name: str | None = None) -> JudgeSlice:
    """The slice of the judge, or of one of the panel."""
    if name is not None and config.labels.panel is not None:
        return JudgeSlice(judge=config.labels.panel.judges[name], panel=name)
    if config.labels.judge is None:
        raise ValueError("labels.judge is null")
    return JudgeSlice(judge=config.labels.judge)


def side_by_side(config: Config, shards: dict[str, int]) -> JudgesSlice:
    """The slice of the comparison; ``shards``: their number for each source."""
    panel, judge = config.labels.panel, config.labels.judge
    if panel is None or judge is None:
        raise ValueError("labels.panel or labels.judge is null")
    return JudgesSlice(
        sources=tuple((name, shards[name]) for name in config.sources),
        policy=config.labels.policy,
        first=judge.name,
        panel=tuple(panel.judges),
        keep=panel.keep,
        confidence=config.metrics.confidence,
    )
