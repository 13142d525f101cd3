"""What ``rollout`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.models import PolicyConfig
from vlprm.config.run import Config
from vlprm.config.slices import engines
from vlprm.config.slices.engines import PolicyEngine


class RolloutSlice(Block):
    """Draw ``n`` solutions of every question of a shard."""

    seed: int
    policy_name: str
    policy: PolicyConfig
    engine: PolicyEngine
    n: int


def of(config: Config, policy: str, dataset: str) -> RolloutSlice:
    """The slice of one policy on one data set; ``n`` is the source's or the candidates'."""
    chosen = config.policies[policy]
    source = config.sources.get(dataset)
    n = source.rollouts if source else config.evaluation.ranking.candidates
    return RolloutSlice(
        seed=config.seed,
        policy_name=policy,
        policy=chosen,
        engine=engines.of(config, chosen.model, "policy"),
        n=n,
    )
