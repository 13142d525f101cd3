"""What is asked of vLLM, and what becomes of its replies; the engine itself needs a GPU."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import transformers

from tests.unit.puzzles import SMALL, WARM, questions, request
from vlprm.config.models import Engines, ModelConfig, Pixels
from vlprm.config.placement import alone
from vlprm.engines.vllm_policy import VLLMPolicy
from vlprm.errors import UserError
from vlprm.protocols import GenerationRequest

QUESTIONS, STORE = questions(2)
MODEL = ModelConfig(
    source="published", path=str(SMALL), engines=Engines(policy="vllm"), dtype="bfloat16",
    pixels=Pixels(min=784, max=1003520), batch_tokens=4096, gpus=1,
)  # fmt: skip
REPLIES = [("stop", None), ("stop", "\n\n"), ("length", None), ("abort", None)]


class FakeLLM:
    def __init__(self, **options: Any) -> None:
        self.options = options

    def generate(self, prompts: list[Any], settings: list[Any], use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        self.prompts, self.settings = prompts, settings
        return [
            SimpleNamespace(
                prompt_token_ids=[1, 2],
                outputs=[
                    SimpleNamespace(
                        text=f"t{n}", token_ids=[1] * n, finish_reason=why, stop_reason=by
                    )
                ],
            )
            for n, (why, by) in enumerate(REPLIES[: len(prompts)])
        ]


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> VLLMPolicy:
    module = ModuleType("vllm")
    module.LLM = FakeLLM  # type: ignore[attr-defined]
    module.SamplingParams = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    template = transformers.Qwen2TokenizerFast.from_pretrained(SMALL)
    template.tokenizer = template
    processor = SimpleNamespace(from_pretrained=lambda *_, **__: template)
    monkeypatch.setattr(transformers, "AutoProcessor", processor)
    return VLLMPolicy(SMALL, STORE, MODEL, alone(MODEL))


def test_one_request_a_seed_with_image_and_prefix(policy: VLLMPolicy) -> None:
    asked = request(QUESTIONS[0], (5, 6), "red")
    asked = GenerationRequest(asked.id, asked.messages, asked.prefix, asked.seeds, ("\n\n",))
    (found,) = policy.generate([asked], WARM)
    llm = policy._llm
    assert [s.seed for s in llm.settings] == [5, 6]
    assert all(s.include_stop_str_in_output and s.stop == ["\n\n"] for s in llm.settings)
    assert llm.prompts[0]["prompt"].endswith("<|im_start|>assistant\nred")
    assert llm.prompts[0]["prompt"].count("<|image_pad|>") == 1
    assert len(llm.prompts[0]["multi_modal_data"]["image"]) == 1
    assert [c.stopped_by for c in found] == [None, "\n\n"]


def test_cut_and_aborted_replies(policy: VLLMPolicy) -> None:
    found = policy.generate([request(QUESTIONS[0], (1, 2, 3)), request(QUESTIONS[1], (4,))], WARM)
    assert [c.finish_reason for c in found[0]] == ["stop", "stop", "length"]
    assert found[1][0].finish_reason == "error"
    assert "abort" in str(found[1][0].error)


def test_without_vllm_the_message_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match="vLLM is not installed"):
        VLLMPolicy(SMALL, STORE, MODEL, alone(MODEL))
