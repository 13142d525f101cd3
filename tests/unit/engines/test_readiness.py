"""Cards that are absent, too few, too small or full; torch's view of them is put in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.puzzles import SMALL, questions
from vlprm.config.models import Engines, ModelConfig, Pixels
from vlprm.config.placement import CPU, Placement, alone
from vlprm.engines import load_policy, load_scorer, readiness
from vlprm.engines.readiness import check_cards, check_ready
from vlprm.errors import UserError

_, STORE = questions(1)
GIB = 2**30


def model(gpus: int = 1, **engines: Any) -> ModelConfig:
    return ModelConfig(
        source="published", family="qwen2.5-vl", path=str(SMALL),
        engines=Engines(**engines), dtype="bfloat16",
        pixels=Pixels(min=784, max=1003520), batch_tokens=4096, gpus=gpus,
    )  # fmt: skip


SCORER, DRAWER = model(scorer="transformers"), model(policy="vllm")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    """One H100, as torch would describe it, with so much free."""

    def show(free_gib: float, total_gib: float = 79.1, count: int = 1) -> None:
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        sizes = (int(free_gib * GIB), int(total_gib * GIB))
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: sizes)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100 80GB HBM3")

    return show


def test_on_the_cpu_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked"))
    check_ready(SCORER, SMALL, CPU, "scorer")


def test_a_card_with_room_is_taken(card: Any) -> None:
    card(free_gib=78.6)
    check_ready(SCORER, SMALL, alone(SCORER), "scorer")
    check_ready(DRAWER, SMALL, alone(DRAWER), "policy")


def test_another_process_fills_the_card(card: Any) -> None:
    card(free_gib=1.0)
    with pytest.raises(UserError) as caught:
        load_scorer(SCORER, SMALL, STORE, alone(SCORER))
    said = str(caught.value)
    assert "of NVIDIA H100 80GB HBM3 (cuda:0, 79.1 GiB), of which 1.0 GiB are free" in said
    assert "nvidia-smi" in said


def test_vllm_takes_its_share_or_does_not_start(card: Any) -> None:
    card(free_gib=70)
    with pytest.raises(UserError, match=r"needs 71\.2 GiB .* of which 70\.0 GiB are free"):
        load_policy(DRAWER, SMALL, STORE, alone(DRAWER))
    check_ready(DRAWER, SMALL, Placement((0,), 0.55), "policy")


def test_a_transformers_policy_draws_on_one_card(card: Any) -> None:
    card(free_gib=78, count=2)
    drawer = model(policy="transformers")
    with pytest.raises(UserError, match=r"given cards \[0, 1\], and the transformers engine"):
        load_policy(drawer, SMALL, STORE, Placement((0, 1), 0.9))


def test_a_share_that_is_too_small(card: Any) -> None:
    card(free_gib=7.9, total_gib=8)
    with pytest.raises(UserError, match=r"its share of .* is 0\.8 GiB \(0\.1\)") as caught:
        check_ready(SCORER, SMALL, Placement((0,), 0.1), "scorer")
    assert "vlprm doctor" in str(caught.value)


def test_a_model_that_does_not_split_so(card: Any) -> None:
    card(free_gib=78, count=8)
    with pytest.raises(UserError, match="4 cards, and 2 key-value heads do not divide by 4"):
        check_ready(SCORER, SMALL, Placement((0, 1, 2, 3), 0.9), "scorer")


def test_fewer_cards_than_booked(card: Any) -> None:
    card(free_gib=78, count=1)
    with pytest.raises(UserError, match="3 GPUs are asked for, this job sees 1"):
        check_ready(SCORER, SMALL, Placement((2,), 0.9), "scorer")


def test_torch_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(UserError, match="is built for the CPU"):
        check_cards(1)


@pytest.mark.parametrize(
    ("driver", "library", "environment", "said"),
    [
        (False, False, {}, "no NVIDIA driver"),
        (True, False, {"APPTAINER_CONTAINER": "/x.sif"}, "--nv"),
        (True, False, {}, "its libraries are not found"),
        (True, True, {"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES=''"),
        (True, True, {}, "the driver gives none: CUDA driver version is insufficient"),
    ],
)
def test_what_is_missing_on_the_way_to_a_card(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    driver: bool,
    library: bool,
    environment: dict[str, str],
    said: str,
) -> None:
    def init() -> None:
        raise RuntimeError("CUDA driver version\nis insufficient")

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(readiness, "_libcuda", lambda: library)
    monkeypatch.setattr(readiness, "DRIVER", tmp_path / "version")
    if driver:
        (tmp_path / "version").write_text("NVRM version: 580")
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        check_cards(1)
    assert said in str(caught.value)
    assert caught.value.cure
