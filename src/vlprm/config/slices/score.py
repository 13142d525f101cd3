"""What ``score`` is told, of a PRM and of the LLM judge."""

from __future__ import annotations

from typing import Literal

from vlprm.config.block import Block
from vlprm.config.run import Config
from vlprm.config.slices import engines
from vlprm.config.slices.engines import ScorerEngine

View = Literal["steps", "whole"]


class ScoreSlice(Block):
    """Read value tokens off a model, of the steps of candidates or of whole solutions."""

    views: tuple[View, ...]
    by: Literal["prm", "judge"]
    by_name: str
    """Who scores: a PRM, or the model of the LLM judge; both are keys of the table."""
    system_prompt: str
    user_prompt: str
    engine: ScorerEngine


def of(config: Config, prm: str, policy: str) -> ScoreSlice:
    """The slice of one PRM scoring one policy's candidates."""
    chosen = config.prms[prm]
    return ScoreSlice(
        views=("steps", "whole"),
        by="prm",
        by_name=prm,
        system_prompt=chosen.system_prompt,
        user_prompt=config.shown_to(prm, policy),
        engine=engines.of(config, chosen.base, "scorer"),
    )


def of_judge(config: Config, policy: str) -> ScoreSlice:
    """The slice of LLM-as-judge selection over one policy's candidates."""
    model = config.evaluation.llm_judge
    if model is None:
        raise ValueError("evaluation.llm_judge is null")
    return ScoreSlice(
        views=("whole",),
        by="judge",
        by_name=model,
        system_prompt=config.labels.examples.system_prompt,
        user_prompt=config.policies[policy].user_prompt,
        engine=engines.of(config, model, "scorer"),
    )
