"""Memory of cards: the fullest one counts; a machine without a driver has none."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from vlprm.io import cards
from vlprm.io.cards import Cards

USED = (5_000_000_000, 7_000_000_000)


def count(found: Any) -> int:
    found._obj.value = len(USED)
    return 0


def by_index(index: Any, handle: Any) -> int:
    handle._obj.value = index.value + 1
    return 0 if index.value < len(USED) else 2


def by_uuid(uuid: Any, handle: Any) -> int:
    handle._obj.value = 1
    return 0 if uuid.value == b"GPU-1" else 6


def memory(handle: Any, found: Any) -> int:
    found._obj.used = USED[handle.value - 1]
    return 0


DRIVER = SimpleNamespace(
    nvmlInit_v2=lambda: 0,
    nvmlDeviceGetCount_v2=count,
    nvmlDeviceGetHandleByIndex_v2=by_index,
    nvmlDeviceGetHandleByUUID=by_uuid,
    nvmlDeviceGetMemoryInfo=memory,
)
"""NVML of two cards, by the calls that are made of it."""


@pytest.mark.parametrize(
    ("visible", "used"),
    [(None, 7_000_000_000), ("0", 5_000_000_000), ("GPU-1", 5_000_000_000), ("1,0", 7_000_000_000)],
)
def test_the_fullest_of_those_a_job_sees(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, used: int
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: DRIVER)
    seen = Cards.visible({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert seen is not None
    assert seen.used() == used


def test_no_card_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: DRIVER)
    assert Cards.visible({"CUDA_VISIBLE_DEVICES": ""}) is None


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cards.ctypes, "CDLL", absent)
    assert Cards.visible({}) is None
