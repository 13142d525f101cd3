"""Where a model runs: cards and the share of their memory it may take.

The one place that knows: rules book the cards of these placements, and hand the same placements
to their stages as an argument (``write``, ``read``), so that the two cannot disagree. A placement
is no part of a slice: other cards or shares rerun nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlprm.errors import UserError

if TYPE_CHECKING:
    from vlprm.config.block import Block
    from vlprm.config.models import ModelConfig
    from vlprm.config.run import Config

WHOLE_CARD = 0.9
"""Share of a card that can be given to models; the rest is the driver's and CUDA's own."""
_PART = re.compile(r"([a-z]+):(cpu|\d+(?:,\d+)*)@(\d*\.?\d+)")


@dataclass(frozen=True, slots=True)
class Placement:
    """Cards by their number among those a job sees; none means the CPU."""

    devices: tuple[int, ...]
    memory: float
    """Share of each card's memory, in (0, 1]."""

    @property
    def shared(self) -> bool:
        """Whether another model of the same job stands on these cards."""
        return self.memory < WHOLE_CARD


CPU = Placement((), WHOLE_CARD)


@dataclass(frozen=True, slots=True)
class StandsAs:
    """Marks a slice's field that is an engine: the role whose cards it gets."""

    role: str


def alone(model: ModelConfig) -> Placement:
    """A model that has its cards to itself."""
    return Placement(tuple(range(model.gpus)), WHOLE_CARD)


def of_policy(config: Config, policy: str) -> dict[str, Placement]:
    """Rollouts and estimates of a policy."""
    return {"policy": alone(config.models[config.policies[policy].model])}


def of_prm(config: Config, prm: str) -> dict[str, Placement]:
    """Scores of a PRM."""
    return {"scorer": alone(config.models[config.prms[prm].base])}


def of_judge(config: Config) -> dict[str, Placement]:
    """Ranks of the model that judges whole solutions."""
    return {"scorer": alone(config.models[str(config.evaluation.llm_judge)])}


def of_training(config: Config, prm: str) -> dict[str, Placement]:
    """Training of a PRM: one process per card, however many cards it takes to score with it."""
    item = config.prms[prm]
    on_cards = config.models[item.base].gpus and item.training is not None
    cards = config.training[str(item.training)].cards if on_cards else 0
    return {"training": Placement(tuple(range(cards)), WHOLE_CARD)}


def of_search(config: Config, policy: str, prm: str) -> dict[str, Placement]:
    """A search: policy and PRM on one card, or the policy's cards first, then the PRM's.

    vLLM takes the first cards that a job sees, so the policy always stands there.
    """
    drawing = config.models[config.policies[policy].model]
    scoring = config.models[config.prms[prm].base]
    wish = config.evaluation.placement
    share = wish.share if isinstance(wish.share, bool) else policy in wish.share
    if share and drawing.gpus == scoring.gpus == 1:
        return {
            "policy": Placement((0,), wish.policy_memory),
            "scorer": Placement((0,), wish.prm_memory),
        }
    behind = range(drawing.gpus, drawing.gpus + scoring.gpus)
    return {"policy": alone(drawing), "scorer": Placement(tuple(behind), WHOLE_CARD)}


def roles(kind: type[Block]) -> dict[str, str]:
    """Fields of a slice that are engines -> their roles; none for a stage that runs no model."""
    return {
        field: mark.role
        for field, info in kind.model_fields.items()
        for mark in info.metadata
        if isinstance(mark, StandsAs)
    }


def cards(placements: Mapping[str, Placement]) -> int:
    """How many cards a job books for these placements."""
    return len({device for item in placements.values() for device in item.devices})


def write(placements: Mapping[str, Placement]) -> str:
    """As one word for a command line: ``policy:0,1@0.9+scorer:2@0.9``; ``cpu`` for no card."""
    return "+".join(
        f"{role}:{','.join(map(str, item.devices)) or 'cpu'}@{item.memory:g}"
        for role, item in placements.items()
    )


def read(text: str) -> dict[str, Placement]:
    """What ``write`` wrote.

    Raises UserError for anything else.
    """
    found = {}
    for part in text.split("+"):
        match = _PART.fullmatch(part)
        if match is None or not 0 < float(match[3]) <= 1:
            raise UserError(
                f"{part!r} is no placement",
                where="--placement",
                cure="role:cards@share of their memory, joined by +: policy:0@0.55+scorer:0@0.35",
            )
        devices = () if match[2] == "cpu" else tuple(map(int, match[2].split(",")))
        if match[1] in found or len(set(devices)) < len(devices):
            again = f"{match[1]} twice" if match[1] in found else f"a card twice: {part}"
            raise UserError(
                f"{text!r} places {again}", where="--placement", cure="name each role and card once"
            )
        found[match[1]] = Placement(devices, float(match[3]))
    return found
