"""What ``import_rollouts`` is told."""

from __future__ import annotations

from vlprm.config.block import Block
from vlprm.config.run import Config


class ImportRolloutsSlice(Block):
    """Published rollouts and verdicts of one source; ``policy`` is said to have drawn them."""

    dataset: str
    shard: str
    policy: str
    kind: str
    n: int


def of(config: Config, dataset: str, shard: str) -> ImportRolloutsSlice:
    """The slice of one shard of a source; the labelled policy is said to have drawn it."""
    data = config.data[dataset]
    return ImportRolloutsSlice(
        dataset=dataset, shard=shard, policy=config.labels.policy, kind=data.kind, n=data.n
    )
