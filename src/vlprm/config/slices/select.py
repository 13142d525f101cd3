"""What ``select`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.evaluation import EvaluationConfig
from vlprm.config.run import Config


class SelectSlice(Block):
    """Pick candidates of one policy on one benchmark by every strategy."""

    benchmark: str
    shards: int
    policy: str
    seed: int
    prms: tuple[str, ...]
    judge: str | None
    """The model that says which whole solutions are right, if any."""
    ranking: EvaluationConfig


def of(config: Config, policy: str, benchmark: str, shards: int) -> SelectSlice:
    """The slice of selection from one policy's candidates."""
    return SelectSlice(
        benchmark=benchmark,
        shards=shards,
        policy=policy,
        seed=config.seed,
        prms=config.evaluation.prms,
        judge=config.evaluation.llm_judge,
        ranking=config.evaluation.ranking,
    )
