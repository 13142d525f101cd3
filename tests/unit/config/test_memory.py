"""Shapes against the sizes of real checkpoints, and memory against what was measured on a card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlprm.config import memory
from vlprm.config.memory import GIB
from vlprm.families import FAMILIES
from vlprm.families.shapes import Shapes

ROOT = Path(__file__).resolve().parents[3]
MODELS = yaml.safe_load((ROOT / "config.yaml").read_text())["models"]
QWEN, GEMMA = FAMILIES["qwen2.5-vl"], FAMILIES["gemma3"]
SMALL, BIG = (QWEN.known[f"Qwen/Qwen2.5-VL-{size}-Instruct"] for size in ("3B", "32B"))
MEASURED = Shapes(replace(SMALL.text, vocab=512), SMALL.vision)
"""The checkpoint of the measurements: the 3B shape with the mini models' tokenizer."""


@pytest.mark.parametrize("name", MODELS)
def test_known_shapes_have_the_stated_sizes(name: str) -> None:
    hub = MODELS[name]["hub"]
    known = FAMILIES[MODELS[name]["family"]].known
    assert 2 * known[hub["repo"]].parameters() / 1e9 == pytest.approx(hub["gb"], rel=0.005)


@pytest.mark.parametrize("name", ["small", "large"])
def test_shapes_of_a_checkpoint_are_its_weights(name: str) -> None:
    folder = ROOT / "models" / "mini" / name
    shapes = QWEN.read_shapes(folder)
    assert shapes is not None
    size = (folder / "model.safetensors").stat().st_size  # bfloat16, with biases and norms
    assert 2 * shapes.parameters() == pytest.approx(size, rel=0.01)


def written(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


QWEN_3B = {
    "hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16,
    "num_key_value_heads": 2, "intermediate_size": 11008, "vocab_size": 151936,
    "max_position_embeddings": 128000,
}  # fmt: skip
QWEN_VISION = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
               "out_hidden_size": 2048, "spatial_patch_size": 14}  # fmt: skip


@pytest.mark.parametrize("nested", [False, True])
def test_a_flat_and_a_nested_config_are_one_shape(tmp_path: Path, nested: bool) -> None:
    text: dict[str, Any] = {"text_config": QWEN_3B} if nested else QWEN_3B
    config = {
        "model_type": "qwen2_5_vl", "tie_word_embeddings": True, "vision_config": QWEN_VISION,
        **text,
    }  # fmt: skip
    assert QWEN.read_shapes(written(tmp_path, config)) == SMALL
    assert GEMMA.read_shapes(tmp_path) is None


def test_gemma_leaves_out_its_defaults(tmp_path: Path) -> None:
    config = {
        "model_type": "gemma3",
        "mm_tokens_per_image": 256,
        "text_config": {
            "hidden_size": 3840, "intermediate_size": 15360, "num_attention_heads": 16,
            "num_hidden_layers": 48, "num_key_value_heads": 8, "sliding_window": 1024,
            "vocab_size": 262208,
        },
        "vision_config": {
            "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
            "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14,
        },
    }  # fmt: skip
    assert GEMMA.read_shapes(written(tmp_path, config)) == GEMMA.known["google/gemma-3-12b-it"]
    assert QWEN.read_shapes(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model_type": "llama"}', '{"model_type": 3'])
def test_what_is_no_known_checkpoint_has_no_shapes(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    for family in FAMILIES.values():
        assert family.read_shapes(tmp_path) is None
        assert family.read_shapes(tmp_path / "absent") is None


def test_plain_training_as_measured() -> None:
    """H100, bfloat16, four conversations of 1,977 tokens, recomputed layers: 32.7 GB."""
    found = memory.training(
        MEASURED, "bfloat16", 4 * 1977, processes=1, tune_vision=True, every=1, zero=None
    )
    assert found.total / GIB == pytest.approx(32.7, rel=0.08)


def test_zero_on_one_card_as_measured() -> None:
    """H100: 64 GiB allocated in the optimizer's step, 12.8 GiB more wanted, 79.1 GiB there."""
    found = memory.training(
        MEASURED, "bfloat16", 4 * 1977, processes=1, tune_vision=True, every=1, zero=2
    )
    assert found.total / GIB == pytest.approx(64 + 12.8, rel=0.02)
    # "weights, gradients and plain Adam in float32 need about 55 GB before activations"
    assert (found.weights + found.cache) / 1e9 == pytest.approx(55, rel=0.02)


def test_more_processes_and_smaller_groups_take_less() -> None:
    def gib(**changed: Any) -> float:
        arguments: dict[str, Any] = {
            "processes": 1, "tune_vision": False, "every": 1, "zero": 2, **changed,
        }  # fmt: skip
        return memory.training(SMALL, "bfloat16", 8192, **arguments).total / GIB

    assert gib(processes=8) < gib(processes=2) < gib(group=800_000_000) < gib()
    assert gib(every=1) <= gib(every=2) <= gib(every=0)
    assert gib(tune_vision=True) > gib()


def test_a_full_batch_of_the_judge_needs_two_cards_or_a_smaller_one() -> None:
    whole = memory.card_bytes(80)
    assert whole / GIB == pytest.approx(79.1, abs=0.1)
    assert memory.scorer(BIG, "bfloat16", 65536).total > whole
    assert memory.scorer(BIG, "bfloat16", 65536, cards=2).total < 0.9 * whole


def test_a_window_bounds_the_cache() -> None:
    gemma = GEMMA.known["google/gemma-3-27b-it"].text
    short, long = gemma.cache_numbers(1024), gemma.cache_numbers(10240)
    assert short == 1024 * gemma.layers * 2 * gemma.kv_heads * gemma.head_dim
    assert long == short + 9216 * (gemma.layers - gemma.windowed) * 2 * 16 * 128


def test_which_numbers_of_cards_split_a_model() -> None:
    assert SMALL.splits(2, "transformers") is None
    assert SMALL.splits(4, "transformers") == "2 key-value heads do not divide by 4"
    assert SMALL.splits(4, "vllm") is None  # repeats them
    assert BIG.splits(3, "vllm") == "40 heads do not divide by 3"
