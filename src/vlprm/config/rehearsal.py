"""The rehearsal: from a run's configuration to that of a short run of the same jobs.

Models, prompts, sampling, candidates, continuations, devices, DeepSpeed file and checkpoints stay
as configured; questions are few, and every data set is one shard. Results go to a run of another
name, so the two never meet.
"""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vlprm.config import placement
from vlprm.config.block import Block
from vlprm.config.data import MatrixData
from vlprm.errors import UserError

if TYPE_CHECKING:
    from vlprm.config.run import Config

SUFFIX = "-rehearsal"
"""Of the rehearsal's run name."""
VARIABLE = "VLPRM_REHEARSAL"
"""Set by the rules of a rehearsal, unset by those of every other run: its block, as JSON."""
POOL = 512
"""Questions among which those with the largest images are looked for."""
SEQUENCES = 256
"""Completions under way at once that fill a policy (vLLM 0.10.1.1's ``max_num_seqs``)."""


class Rehearsal(Block):
    """What a rehearsal adds to a configuration; only ``vlprm rehearse`` writes it."""

    of: str = Field(description="the run that is rehearsed")
    pool: dict[str, int] = Field(description="questions of a data set to choose the largest from")
    conversations: int = Field(gt=0, description="training conversations: steps full batches")
    sequences: int = Field(gt=0, description="completions at once that fill a policy")
    length_ratio: float = Field(
        default=1.0, gt=0, description="length of chosen published conversations over the mean"
    )


def derive(data: Mapping[str, Any], config: Config, questions: int, steps: int) -> dict[str, Any]:
    """The rehearsal's whole configuration, from the run's file as read and as checked.

    ``questions`` of every source and benchmark, ``steps`` optimizer steps of every training.
    Raises UserError for a configuration that is a rehearsal already.
    """
    if config.rehearsal is not None or config.run.endswith(SUFFIX):
        raise UserError(
            f"{config.run} is a rehearsal itself",
            where="run",
            cure="give the configuration of the run that is to be rehearsed",
        )
    found = copy.deepcopy(dict(data))
    found["run"] = config.run + SUFFIX
    pool = {}
    for table in ("sources", "benchmarks"):
        for name, item in getattr(config, table).items():
            n = min(item.data.n, questions)
            # an own dictionary: aliases of the file share theirs
            found[table][name]["data"] = found[table][name]["data"] | {"n": n, "shard_size": n}
            if not isinstance(item.data, MatrixData):
                pool[name] = min(item.data.n, POOL)
    for name in config.training:
        found["training"][name] = found["training"][name] | {"epochs": 1, "questions": None}
    examples = {"balance": "none", "max_examples": None}
    found["labels"]["examples"] = found["labels"]["examples"] | examples
    found["rehearsal"] = Rehearsal(
        of=config.run,
        pool=pool,
        conversations=max(steps * item for item in _batches(config)),
        sequences=_sequences(config),
    ).model_dump()
    return found


def _batches(config: Config) -> list[int]:
    """Conversations of one optimizer step, training after training."""
    found = [1]
    for name, prm in config.prms.items():
        if prm.training is not None:
            recipe = config.training[prm.training]
            processes = max(1, placement.cards(placement.of_training(config, name)))
            found.append(recipe.micro_batch * recipe.accumulation * processes)
    return found


def _sequences(config: Config) -> int:
    """Completions that the fullest job of the run has under way at once, at most SEQUENCES."""
    shards = [
        min(item.data.n, item.data.shard_size) * item.rollouts for item in config.sources.values()
    ]
    n = config.evaluation.ranking.candidates
    shards += [min(item.data.n, item.data.shard_size) * n for item in config.benchmarks.values()]
    return min(SEQUENCES, max(shards, default=1))


def shell_export(config: Config) -> str:
    """For the rules' shell prefix, in Snakemake's format language: set it, or see it unset."""
    if config.rehearsal is None:
        return f"unset {VARIABLE}; "
    text = shlex.quote(config.rehearsal.model_dump_json())
    return f"export {VARIABLE}={text}; ".replace("{", "{{").replace("}", "}}")


def in_force(environment: Mapping[str, str] = os.environ) -> Rehearsal | None:
    """The rehearsal that this process belongs to, if any."""
    text = environment.get(VARIABLE)
    return Rehearsal.model_validate_json(text) if text else None
