"""One engine for all tests here; none without vLLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench import vllm_cpu

from tests.unit.puzzles import SMALL, questions
from vlprm.config.models import Engines, ModelConfig, Pixels
from vlprm.config.placement import Placement
from vlprm.engines.vllm_policy import VLLMPolicy

QUESTIONS, STORE = questions(8)
MODEL = ModelConfig(
    source="published", family="qwen2.5-vl", path=str(SMALL),
    engines=Engines(policy="vllm"), dtype="float32",
    pixels=Pixels(min=784, max=1003520), batch_tokens=4096, gpus=0,
)  # fmt: skip


def started(model: ModelConfig = MODEL, **more: Any) -> VLLMPolicy:
    on_cpu = vllm_cpu.ready()
    placement = Placement((), 0.9) if on_cpu else Placement((0,), 0.5)
    options = vllm_cpu.OPTIONS if on_cpu else {}
    return VLLMPolicy(Path(str(model.path)), STORE, model, placement, {**options, **more})


@pytest.fixture(scope="session")
def policy() -> VLLMPolicy:
    pytest.importorskip("vllm")
    return started()
