"""The cards of a placement as torch's devices, and what of their memory is left."""

from __future__ import annotations

import torch

from vlprm.config.placement import Placement
from vlprm.engines.readiness import check_cards


def devices_of(placement: Placement) -> tuple[torch.device, ...]:
    """The placement's devices; the CPU without cards.

    Raises UserError when torch sees none or fewer of them (``readiness.check_cards``).
    """
    if not placement.devices:
        return (torch.device("cpu"),)
    check_cards(max(placement.devices) + 1)
    return tuple(torch.device("cuda", number) for number in placement.devices)


def room(device: torch.device, share: float) -> int:
    """Bytes this process may still take of a card: its share of the whole, and what is free."""
    free, total = torch.cuda.mem_get_info(device)
    mine = torch.cuda.memory_allocated(device)
    cached = torch.cuda.memory_reserved(device) - mine
    return min(free + cached, int(total * share) - mine)
