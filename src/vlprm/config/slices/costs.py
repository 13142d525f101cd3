"""What ``costs`` is told; ``cost_pages`` is told what ``tables`` is."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.evaluation import EvaluationConfig
from vlprm.config.run import Config


class CostsSlice(Block):
    """What every strategy costs per question, on one benchmark."""

    benchmark: str
    shards: int
    policies: tuple[str, ...]
    prms: tuple[str, ...]
    judge: str | None
    searches: dict[str, int]
    """Searches of this benchmark and their N."""
    ranking: EvaluationConfig


def of(config: Config, benchmark: str, shards: int) -> CostsSlice:
    """The slice of the costs of one benchmark."""
    return CostsSlice(
        benchmark=benchmark,
        shards=shards,
        policies=config.evaluation.policies,
        prms=config.evaluation.prms,
        judge=config.evaluation.llm_judge,
        searches=config.widths(benchmark),
        ranking=config.evaluation.ranking,
    )
