"""A PRM trained by two processes is the one that a single process trains on the same batches."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from tests.unit.puzzles import SMALL
from tests.unit.training.prm_runs import ENVIRONMENT, command, recipe, write_inputs
from vlprm.training import prm

COUNT = 16


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    write_inputs(tmp_path, COUNT)
    return tmp_path


def train(inputs: Path, out: str, micro_batch: int, processes: int) -> Path:
    weights = inputs / out / "model.safetensors"
    done = subprocess.run(
        command(inputs, weights, recipe(micro_batch=micro_batch), processes),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return weights


@pytest.mark.slow
def test_two_processes_train_what_one_trains(inputs: Path) -> None:
    one = load_file(train(inputs, "one", micro_batch=8, processes=1))
    pair = train(inputs, "pair", micro_batch=4, processes=2)
    two, start = load_file(pair), load_file(SMALL / "model.safetensors")
    assert two.keys() == one.keys()
    for name, weight in two.items():
        moved = (one[name] - start[name].float()).abs().max()
        assert (weight - one[name]).abs().max() <= 0.05 * moved + 1e-6, name
    names = {path.name for path in pair.parent.iterdir()}
    assert {"model.safetensors", "model.safetensors.manifest.json", "tokenizer.json"} <= names
    assert not [name for name in names if name.startswith(".")]
    assert not prm.state_folder(pair.parent).exists()


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 5 GB are to a 7B model, 100 kB are to the small one."""
    plain = PreTrainedModel.save_pretrained

    def save(self: PreTrainedModel, *arguments: object, **settings: object) -> None:
        plain(self, *arguments, **({"max_shard_size": "100KB"} | settings))

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", save)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("tied", [True, False])  # as the 3B model, as the 7B
def test_a_checkpoint_of_any_size_is_one_file_that_loads_again(tmp_path: Path, tied: bool) -> None:
    config = Qwen2_5_VLConfig.from_pretrained(SMALL)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = tied
    torch.manual_seed(3)
    model = Qwen2_5_VLForConditionalGeneration(config)
    sharded, whole = tmp_path / "sharded", tmp_path / "whole"
    model.save_pretrained(sharded)
    assert not (sharded / "model.safetensors").exists()  # the trap is set
    whole.mkdir()
    prm.save_checkpoint(model, "float32", SMALL, whole)
    names = {path.name for path in whole.iterdir()}
    assert [name for name in names if "safetensors" in name] == ["model.safetensors"]
    of_base = {path.name for path in SMALL.iterdir()} - {"recipe.json"}
    assert names == of_base, "all that the base's folder holds, and no more"
    again, loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        whole, output_loading_info=True, torch_dtype=torch.float32
    )
    assert not loaded["missing_keys"]
    assert not loaded["unexpected_keys"]
    kept = again.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in model.state_dict().items())
    keys = load_file(whole / "model.safetensors").keys()
    assert ("lm_head.weight" in keys) is not tied
    assert keys - {"lm_head.weight"} == load_file(SMALL / "model.safetensors").keys()


def test_a_checkpoint_is_written_in_the_bases_type_with_flat_settings(tmp_path: Path) -> None:
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(SMALL, torch_dtype=torch.float32)
    prm.save_checkpoint(model, "bfloat16", SMALL, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    written = json.loads((tmp_path / "config.json").read_text())
    for key, value in json.loads((SMALL / "config.json").read_text()).items():
        if key not in ("text_config", "vision_config"):
            assert written[key] == value, key  # vLLM reads vocab_size and others from the top
