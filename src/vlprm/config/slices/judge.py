"""What ``judge`` and ``judges`` are told."""

from __future__ import annotations

from vlprm.config.access import Access
from vlprm.config.block import Block, later
from vlprm.config.labels import JudgeConfig
from vlprm.config.run import Config

ACCOUNT = "accounts.sqlite"
"""In a run's results: what its judges have spent, and asked within the last minute."""


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
    beside = name if config.labels.panel is not None else None
    return JudgeSlice(judge=chosen(config, name), panel=beside)


def chosen(config: Config, name: str | None = None) -> JudgeConfig:
    """The judge, or one of the panel, with how it is reached."""
    if name is not None and config.labels.panel is not None:
        return config.labels.panel.judges[name]
    if config.labels.judge is None:
        raise ValueError("labels.judge is null")
    return config.labels.judge


def access(config: Config, root: str, name: str | None = None) -> Access:
    """How a judge is reached and paid; ``root``: the folder of the run's results."""
    judge = chosen(config, name)
    if judge.engine != "api":
        return Access()
    found = Access(
        endpoints=judge.endpoints,
        late_tries=judge.late_tries,
        price=(config.prices or {}).get(str(judge.model)),
        budget=judge.budget,
    )
    if not found.kept:
        return found
    return found.model_copy(update={"bill": name or judge.name, "account": f"{root}/{ACCOUNT}"})


NOTHING = "none"
"""A word, because an empty argument would be lost on the way to the command."""


def told(config: Config, root: str, name: str | None = None) -> str:
    """The same for the stage's command: ``none`` where there is nothing to say."""
    found = access(config, root, name)
    return NOTHING if found == Access() else found.model_dump_json(exclude_defaults=True)


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
