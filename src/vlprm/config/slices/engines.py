"""What every slice of a stage that runs a model holds: the engine, in one role."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vlprm.config.block import Block
from vlprm.config.models import Engines, ModelConfig
from vlprm.config.placement import CPU, Placement, StandsAs
from vlprm.config.run import Config
from vlprm.families.family import Role


class EngineSlice(Block):
    """How to run a model; the scientific part only (weights enter as input files).

    The placement is no part of what is written: a job gets it as an argument of its own, so that
    other cards rerun nothing.
    """

    name: str
    model: ModelConfig
    placement: Placement = Field(default=CPU, exclude=True)

    def on(self, placement: Placement) -> EngineSlice:
        """The same on these cards."""
        model = self.model.model_copy(update={"gpus": len(placement.devices)})
        return self.model_copy(update={"model": model, "placement": placement})


PolicyEngine = Annotated[EngineSlice, StandsAs("policy")]
ScorerEngine = Annotated[EngineSlice, StandsAs("scorer")]
TrainedEngine = Annotated[EngineSlice, StandsAs("training")]


def of(config: Config, model: str, role: Role | None) -> EngineSlice:
    """The engine slice of a model in one role (None: it is trained), without the other's engine."""
    chosen = config.models[model]
    own = Engines(**{role: getattr(chosen.engines, role)}) if role else Engines()
    return EngineSlice(name=model, model=chosen.model_copy(update={"engines": own}))
