"""What makes up a training state: weights, optimizer, schedule and generators, exactly.

Two layouts. Without DeepSpeed every process holds all of it and the first one writes. With ZeRO
stage 1 or 2 (stage_1_and_2.py at 0.16.4) each process owns a part of every group: float32 weights
(``single_partition_of_fp32_groups``) and the optimizer's state of them; the 16-bit weights follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlprm.errors import UserError
from vlprm.training import processes
from vlprm.training.state import load_tensors, save_tensors

_STATE = ("exp_avg", "exp_avg_sq", "step")
"""AdamW's state of a parameter (torch.optim.adam)."""
_LAST = "last"
"""Of the schedule: its step count, and the learning rate of each group."""


def save(folder: Path, model: Any, schedule: Any, engine: Any = None) -> None:
    """Write this process's part. ``engine``: DeepSpeed's, where it trains."""
    rank = processes.rank()
    if engine is not None:
        save_tensors(folder, f"part{rank:04d}", _zero_state(_zero(engine)))
    elif processes.first_process():
        save_tensors(folder, "weights", _trained(model))
        save_tensors(folder, "optimizer", _plain_state(model, schedule.optimizer))
    if processes.first_process():
        save_tensors(folder, "schedule", [(_LAST, _schedule_state(schedule))])
    generators = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        generators["cuda"] = torch.cuda.get_rng_state()
    save_tensors(folder, f"generators{rank:04d}", generators.items())


def load(folder: Path, model: Any, schedule: Any, engine: Any = None) -> None:
    """Put back what ``save`` wrote, in every process."""
    if engine is not None:
        _load_zero(folder, _zero(engine))
    else:
        _load_plain(folder, model, schedule.optimizer)
    ((_, last),) = load_tensors(folder, "schedule")
    step, *rates = last.tolist()
    schedule.last_epoch, schedule._step_count = int(step), int(step) + 1
    schedule._last_lr = rates
    for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def load_generators(folder: Path) -> None:
    """Put back the state of torch's generators of this process.

    numpy's and Python's draw nothing here: the order of the data is the sampler's, and Qwen2.5-VL
    has no dropout.
    """
    found = dict(load_tensors(folder, f"generators{processes.rank():04d}"))
    torch.set_rng_state(found["cpu"])
    if "cuda" in found:
        torch.cuda.set_rng_state(found["cuda"])


def _trained(model: Any) -> Iterator[tuple[str, Tensor]]:
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def _plain_state(model: Any, optimizer: Any) -> Iterator[tuple[str, Tensor]]:
    for name, weight in _trained(model):
        for key in _STATE:
            if weight in optimizer.state:  # a tower that saw no image yet has none
                yield f"{key}.{name}", optimizer.state[weight][key]


def _load_plain(folder: Path, model: Any, optimizer: Any) -> None:
    weights = dict(_trained(model))
    with torch.no_grad():
        for name, value in load_tensors(folder, "weights"):
            weights[name].copy_(value)
    for key, value in load_tensors(folder, "optimizer"):
        kind, _, name = key.partition(".")
        # AdamW keeps the step where its form asks for it: fused with the weights, else on the host
        fused = optimizer.param_groups[0].get("fused")
        there = weights[name].device if kind != "step" or fused else torch.device("cpu")
        optimizer.state[weights[name]][kind] = value.to(there)


def _zero(engine: Any) -> Any:
    """DeepSpeed's optimizer. Raises UserError for a stage whose state is laid out otherwise."""
    if not hasattr(engine.optimizer, "single_partition_of_fp32_groups"):
        raise UserError(
            "the state of this DeepSpeed optimizer cannot be saved and resumed",
            where="training: deepspeed",
            cure="zero_optimization stage 1 or 2 with bf16 (configs/deepspeed_zero2.json)",
        )
    return engine.optimizer


def _zero_state(zero: Any) -> Iterator[tuple[str, Tensor]]:
    for number, part in enumerate(zero.single_partition_of_fp32_groups):
        yield f"{number:05d}.weight", part.data
        for key in _STATE:
            yield f"{number:05d}.{key}", zero.optimizer.state[part][key]


def _load_zero(folder: Path, zero: Any) -> None:
    parts = zero.single_partition_of_fp32_groups
    with torch.no_grad():
        for name, value in load_tensors(folder, f"part{processes.rank():04d}"):
            number, _, key = name.partition(".")
            part = parts[int(number)]
            if key == "weight":
                part.data.copy_(value)
            else:
                fused = zero.optimizer.param_groups[0].get("fused")
                there = part.device if key != "step" or fused else torch.device("cpu")
                zero.optimizer.state[part][key] = value.to(there)
    zero.update_lp_params()  # the 16-bit weights of all processes, from the float32 ones


def _schedule_state(schedule: Any) -> Tensor:
    return torch.tensor([schedule.last_epoch, *schedule.get_last_lr()], dtype=torch.float64)
