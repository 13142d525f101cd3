"""Mini base models: trained from a seed on generated puzzles; both policy and PRM base."""

from __future__ import annotations

from vlprm.config.slices.base import BaseSlice
from vlprm.io.manifest import checkpoint_files, recorded
from vlprm.stages import VERSIONS, Out
from vlprm.training import train_base


def run(config: BaseSlice, weights: Out) -> None:
    """Train one base model; its folder is complete when ``weights`` is there."""
    outputs = [weights]
    with recorded(
        "base",
        VERSIONS["base"],
        config.model_dump(mode="json"),
        inputs=[],
        outputs=outputs,
    ) as counts:
        counts.update(train_base(config.base_model, weights.parent))
        outputs += checkpoint_files(weights)
