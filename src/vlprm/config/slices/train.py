"""What ``train`` is told."""

from __future__ import annotations

from vlprm.config.block import Block, later
from vlprm.config.run import Config
from vlprm.config.slices import engines
from vlprm.config.slices.engines import TrainedEngine
from vlprm.config.training import PRMTrainingConfig


class TrainSlice(Block):
    """Train one PRM."""

    training: PRMTrainingConfig
    base: TrainedEngine
    soft: bool = later(False, "the conversations have values in place of labels")


def of(config: Config, prm: str) -> TrainSlice:
    """The slice of one PRM's training."""
    chosen = config.prms[prm]
    if chosen.training is None:
        raise ValueError(f"prms.{prm} is published, not trained")
    base = engines.of(config, chosen.base, None)
    return TrainSlice(
        training=config.training[chosen.training], base=base, soft=config.labels.examples.soft
    )
