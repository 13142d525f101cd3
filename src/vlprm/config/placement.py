"""Where a model runs: cards and the share of their memory it may take.

Rules read the number of GPUs a job books from here, and stages the placements they give their
engines, so that the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

from vlprm.config.models import ModelConfig

WHOLE = 0.9
"""Share of a card that a model alone on it may take; the rest is the driver's and CUDA's own."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Cards by their number among those a job sees; none means the CPU."""

    devices: tuple[int, ...]
    memory: float
    """Share of each card's memory, in (0, 1]."""


def alone(model: ModelConfig) -> Placement:
    """A model that has its cards to itself."""
    return Placement(tuple(range(model.gpus)), WHOLE)
