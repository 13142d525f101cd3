"""What ``examples`` is told."""

from __future__ import annotations

from vlprm.config.block import Block, later
from vlprm.config.labels import ExamplesConfig
from vlprm.config.run import Config


class ExamplesSlice(Block):
    """Turn labels into training conversations."""

    sources: tuple[tuple[str, int], ...]
    """Sources and their number of shards."""
    policy: str
    seed: int
    examples: ExamplesConfig
    user_prompt: str
    leaks: tuple[str, ...] = later((), "kinds of hits that are left out")
    min_graded: int | None = later(None, "of a step that has a value, for soft labels")


def of(config: Config, shards: dict[str, int]) -> ExamplesSlice:
    """The slice of the examples stage; the question is shown as the policy saw it.

    ``shards``: their number for each source.
    """
    soft, estimates = config.labels.examples.soft, config.labels.estimates
    return ExamplesSlice(
        sources=tuple((name, shards[name]) for name in config.sources),
        policy=config.labels.policy,
        seed=config.seed,
        examples=config.labels.examples,
        user_prompt=config.policies[config.labels.policy].user_prompt,
        leaks=config.leaks.drop if config.leaks else (),
        min_graded=estimates.min_graded if soft and estimates else None,
    )
