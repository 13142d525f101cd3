"""The cards of a placement: are they there, and how much of their memory is free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from vlprm.config.placement import Placement
from vlprm.errors import UserError


def devices_of(placement: Placement) -> tuple[torch.device, ...]:
    """The placement's devices; the CPU without cards.

    Raises UserError when torch sees none or fewer of them.
    """
    if not placement.devices:
        return (torch.device("cpu"),)
    wanted = max(placement.devices) + 1
    if torch.version.cuda is None:
        raise UserError(
            f"the model asks for {wanted} GPU(s), this torch ({torch.__version__}) is built for"
            " CPUs only",
            where="models.*.gpus",
            cure="run the stage in the image of GPU stages, or set gpus: 0",
        )
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if there < wanted:
        raise UserError(
            f"the model asks for {wanted} GPU(s), this job sees {there}",
            where="models.*.gpus",
            cure="run it on a GPU node that shows its driver to the container (--nv), or set"
            " gpus to what there is",
        )
    return tuple(torch.device("cuda", number) for number in placement.devices)


def room(device: torch.device, share: float) -> int:
    """Bytes this process may still take of a card: its share of the whole, and what is free."""
    free, total = torch.cuda.mem_get_info(device)
    mine = torch.cuda.memory_allocated(device)
    cached = torch.cuda.memory_reserved(device) - mine
    return min(free + cached, int(total * share) - mine)


def check_weights(model_dir: Path, devices: Sequence[torch.device], share: float) -> None:
    """Raise UserError unless each card has room for its part of the checkpoint's weights."""
    whole = sum(path.stat().st_size for path in model_dir.glob("*.safetensors"))
    for device in devices:
        if device.type != "cuda":
            continue
        need, left = whole // len(devices), room(device, share)
        if need > left:
            free, total = torch.cuda.mem_get_info(device)
            raise UserError(
                f"the weights take {need / 1e9:.1f} GB of each card, {device} has"
                f" {left / 1e9:.1f} GB for them ({free / 1e9:.1f} of {total / 1e9:.1f} GB free,"
                f" share {share:.2f})",
                where=str(model_dir),
                cure="end what else runs on the card, give the model more cards (gpus), or a"
                " larger share",
            )
