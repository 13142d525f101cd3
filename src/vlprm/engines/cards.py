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


def room(device: torch.device, share: float, others: int) -> int:
    """Bytes a model may still take of a card: of its share of the whole, and of what is free.

    ``others``: bytes that this process had allocated there before the model came, such as those of
    a policy in the same process (vLLM's engine runs within it).
    """
    free, total = torch.cuda.mem_get_info(device)
    allocated = torch.cuda.memory_allocated(device)
    cached = torch.cuda.memory_reserved(device) - allocated
    return min(free + cached, int(total * share) - (allocated - others))
