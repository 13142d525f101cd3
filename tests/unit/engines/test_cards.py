"""The cards of a placement, and the memory that is left of them."""

from __future__ import annotations

import pytest
import torch

from vlprm.config.placement import Placement
from vlprm.engines.cards import devices_of, room
from vlprm.errors import UserError

GB = 10**9


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """One card of 80 GB, 30 of them free; this process holds 5 and caches 2 more."""
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (30 * GB, 80 * GB))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 5 * GB)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 7 * GB)


def test_devices(card: None) -> None:
    assert devices_of(Placement((), 0.9)) == (torch.device("cpu"),)
    assert devices_of(Placement((0,), 0.9)) == (torch.device("cuda", 0),)
    with pytest.raises(UserError, match="2 GPUs are asked for, this job sees 1"):
        devices_of(Placement((1,), 0.9))


def test_room_is_what_is_free_and_what_is_allowed(card: None) -> None:
    device = torch.device("cuda", 0)
    assert room(device, 0.9, 0) == 32 * GB  # other processes hold the rest
    assert room(device, 0.25, 0) == 15 * GB  # 20 allowed, 5 taken
    assert room(device, 0.25, 4 * GB) == 19 * GB  # 4 of the 5 are another model's
