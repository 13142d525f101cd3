"""A PRM trained by two processes is the one that a single process trains on the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.unit.puzzles import SMALL, questions
from vlprm.config.models import ModelConfig
from vlprm.config.slices import EngineSlice, TrainSlice
from vlprm.config.training import PRMTrainingConfig
from vlprm.io import tables
from vlprm.prm.format import render_turns
from vlprm.records import PRMExample

COUNT = 16


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    samples, store = questions(COUNT)
    examples = [
        PRMExample.model_validate(
            {
                "rollout_id": f"r{number}", "images": sample.images, "system": "Answer + or -.",
                "turns": render_turns("Which?", ["red star", "so red"][: 1 + number % 2]),
                "labels": [1, number % 3 % 2][: 1 + number % 2],
            }
        )
        for number, sample in enumerate(samples)
    ]  # fmt: skip
    tables.write(examples, tmp_path / "examples.parquet", PRMExample)
    store.save(tmp_path / "images.parquet")
    return tmp_path


def train(inputs: Path, out: str, micro_batch: int, processes: int) -> Path:
    model = ModelConfig(
        source="published", path=str(SMALL), engines={"scorer": "transformers"}, dtype="float32",
        pixels={"min": 784, "max": 1003520}, batch_tokens=65536, gpus=0,
    )  # fmt: skip
    training = PRMTrainingConfig(
        learning_rate=1e-3, schedule="cosine", warmup_ratio=0.0, weight_decay=0.0,
        betas=(0.9, 0.95), max_grad_norm=1.0, epochs=1, micro_batch=micro_batch, accumulation=1,
        seed=1, tune_vision=True, label_positions="assistant_turns", gradient_checkpointing=False,
        deepspeed=None,
    )  # fmt: skip
    config = TrainSlice(training=training, base=EngineSlice(name="small", model=model))
    weights = inputs / out / "model.safetensors"
    several = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [
            sys.executable, *(several if processes > 1 else []), "-m", "vlprm.cli", "train",
            "--examples", str(inputs / "examples.parquet"),
            "--images", str(inputs / "images.parquet"),
            "--base", str(SMALL / "model.safetensors"), "--weights", str(weights),
            "--config", json.dumps(config.model_dump(mode="json")),
            "--placement", "training:cpu@0.9",
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
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
