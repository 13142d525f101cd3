"""What ``estimate`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.estimates import EstimateConfig
from vlprm.config.models import PolicyConfig
from vlprm.config.run import Config
from vlprm.config.slices import engines
from vlprm.config.slices.engines import PolicyEngine
from vlprm.label_rules import AnyLabelRule
from vlprm.records import Sampling


class EstimateSlice(Block):
    """Continue step prefixes up to ``k`` times."""

    seed: int
    policy_name: str
    policy: PolicyConfig
    engine: PolicyEngine
    estimates: EstimateConfig
    rule: AnyLabelRule | None
    """The rule that decides what is drawn; None where all is: another rule draws nothing."""

    @property
    def sampling(self) -> Sampling:
        """The policy's, with the continuations' own ``max_tokens``."""
        most = self.estimates.max_tokens
        drawn = self.policy.sampling
        return drawn.model_copy(update={"max_tokens": most}) if most else drawn


def of(config: Config, policy: str) -> EstimateSlice:
    """The slice of the Monte-Carlo stage."""
    chosen, estimates = config.policies[policy], config.labels.estimates
    if estimates is None:
        raise ValueError("labels.estimates is null")
    return EstimateSlice(
        seed=config.seed,
        policy_name=policy,
        policy=chosen,
        engine=engines.of(config, chosen.model, "policy"),
        estimates=estimates,
        rule=config.labels.rule if estimates.stops else None,
    )
