"""The packed scorer of GPUs, run on a CPU: the padded scorer's numbers, whole or split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.unit.puzzles import CPU, SMALL, questions, small
from vlprm.engines import packed_prm
from vlprm.engines.hf_prm import HFScorer, Variant
from vlprm.errors import UserError
from vlprm.families.qwen25vl.model import Dtype
from vlprm.families.qwen25vl.shards import check_split
from vlprm.io.images import ImageStore
from vlprm.protocols import ScoreRequest, StepLogits
from vlprm.records import ImageRef

STEPS = (["red star, blue cross", "colour constant so red"], ["red star"], ["blue", "b", "c", "d"])


def images() -> tuple[ImageStore, list[tuple[ImageRef, ...]]]:
    """Puzzles, and images whose windows differ in size; one question has two, one has none."""
    samples, store = questions(2)
    odd = [store.put(Image.new("RGB", size, "red")) for size in ((196, 140), (308, 56), (28, 84))]
    return store, [*(s.images for s in samples), (odd[0],), (odd[1], odd[2]), ()]


STORE, IMAGES = images()
REQUESTS = [
    ScoreRequest(f"{q}#{n}", "Is it right?", refs, f"Which of {q}?", tuple(steps))
    for q, refs in enumerate(IMAGES)
    for n, steps in enumerate(STEPS)
]


def scorer(
    dtype: Dtype = "float32", batch_tokens: int = 4096, **how: bool | str | tuple[str, ...]
) -> HFScorer:
    model = small(dtype=dtype, batch_tokens=batch_tokens)
    return HFScorer(SMALL, STORE, model, CPU, Variant(**how))  # type: ignore[arg-type]


def apart(one: list[tuple[StepLogits, ...]], other: list[tuple[StepLogits, ...]]) -> float:
    assert [[s.prompt_tokens for s in r] for r in one] == [
        [s.prompt_tokens for s in r] for r in other
    ]
    return max(
        max(abs(a.plus - b.plus), abs(a.minus - b.minus))
        for rows in zip(one, other, strict=True)
        for a, b in zip(*rows, strict=True)
    )


@pytest.fixture(scope="module")
def padded() -> list[tuple[StepLogits, ...]]:
    return scorer().score(REQUESTS)


@pytest.mark.parametrize("batch_tokens", [4096, 150, 1])
def test_packed_is_padded(padded: list[tuple[StepLogits, ...]], batch_tokens: int) -> None:
    engine = scorer(packed=True, batch_tokens=batch_tokens)
    found = engine.score(REQUESTS)
    assert apart(found, padded) < 1e-5
    assert found == engine.score(REQUESTS)  # the same batches again: the same numbers
    assert engine.work is not None
    assert engine.work.readouts == 2 * sum(len(rows) for rows in padded)


def test_the_prefix_of_a_question_runs_once(padded: list[tuple[StepLogits, ...]]) -> None:
    engine = scorer(packed=True)
    engine.score(REQUESTS)
    assert engine.work is not None
    whole = sum(rows[-1].prompt_tokens for rows in padded)
    assert engine.work.tokens < 0.6 * whole
    assert (
        engine.work.patches == sum(ref.width * ref.height for refs in IMAGES for ref in refs) // 196
    )


def test_split_over_two_devices_is_whole(padded: list[tuple[StepLogits, ...]]) -> None:
    found = scorer(packed=True, devices=("cpu", "cpu")).score(REQUESTS)
    assert apart(found, padded) < 1e-5


@pytest.mark.slow  # torch compiles C++ here: a minute and more
def test_compiled_elementwise_work_is_eager(padded: list[tuple[StepLogits, ...]]) -> None:
    found = scorer(packed=True, elementwise="compiled").score(REQUESTS)
    assert apart(found, padded) < 1e-5


def test_what_does_not_split_is_refused_with_numbers() -> None:
    with pytest.raises(UserError, match=r"4 heads, 2 key-value heads .* over 3 GPUs"):
        scorer(packed=True, devices=("cpu",) * 3)
    check_split(40, 8, 27648, 2)


@pytest.mark.parametrize("packed", [False, True])
def test_value_logits_of_a_bfloat16_model_are_float32(
    padded: list[tuple[StepLogits, ...]], packed: bool
) -> None:
    found = scorer("bfloat16", packed=packed).score(REQUESTS)
    values = torch.tensor([[s.plus, s.minus] for rows in found for s in rows])
    assert not torch.equal(values, values.bfloat16().float())
    assert apart(found, padded) < 0.25


def test_one_candidate_a_call_in_bfloat16_is_near_the_batch() -> None:
    engine = scorer("bfloat16", packed=True)
    single = [engine.score([request])[0] for request in REQUESTS]
    assert apart(engine.score(REQUESTS), single) < 0.25


def test_a_conversation_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = scorer(packed=True)
    inner = engine._engine
    assert isinstance(inner, packed_prm.PackedScorer)
    inner._most = 20
    with pytest.raises(UserError, match=r"of \d+ tokens does not fit the card: 20 do"):
        engine.score(REQUESTS)


def test_a_tokenizer_without_value_tokens_is_refused_before_weights_are_read(
    tmp_path: Path,
) -> None:
    for file in SMALL.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=r"not a Qwen2\.5-VL checkpoint"):
        HFScorer(tmp_path, STORE, small(batch_tokens=64), CPU)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    bpe = content["model"]
    bpe["vocab"] = {name: i for name, i in bpe["vocab"].items() if "+" not in name}
    bpe["merges"] = [pair for pair in bpe["merges"] if "+" not in "".join(pair)]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"'\+' is not one token"):
        HFScorer(tmp_path, STORE, small(batch_tokens=64), CPU)
