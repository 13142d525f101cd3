"""What ``search`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.models import PolicyConfig
from vlprm.config.run import Config
from vlprm.config.slices import engines
from vlprm.config.slices.engines import PolicyEngine, ScorerEngine
from vlprm.search.keep import Search


class SearchSlice(Block):
    """One search of one policy by one PRM."""

    seed: int
    name: str
    search: Search
    policy_name: str
    policy: PolicyConfig
    policy_engine: PolicyEngine
    prm_name: str
    prm_system_prompt: str
    prm_user_prompt: str
    prm_engine: ScorerEngine


def of(config: Config, name: str, policy: str, prm: str) -> SearchSlice:
    """The slice of one search of one policy by one PRM."""
    chosen, reward = config.policies[policy], config.prms[prm]
    return SearchSlice(
        seed=config.seed,
        name=name,
        search=config.searches[name],
        policy_name=policy,
        policy=chosen,
        policy_engine=engines.of(config, chosen.model, "policy"),
        prm_name=prm,
        prm_system_prompt=reward.system_prompt,
        prm_user_prompt=config.shown_to(prm, policy),
        prm_engine=engines.of(config, reward.base, "scorer"),
    )
