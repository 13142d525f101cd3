"""Training runs as the workflow starts them: the command line, in processes of their own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.unit.puzzles import SMALL, questions, small
from vlprm.cluster.launch import ALONE
from vlprm.config.slices.engines import EngineSlice
from vlprm.config.slices.train import TrainSlice
from vlprm.config.training import PRMTrainingConfig
from vlprm.io import parquet
from vlprm.records import PRMExample

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def write_inputs(folder: Path, count: int) -> None:
    """``examples.parquet`` and ``images.parquet`` of ``count`` conversations."""
    samples, store = questions(count)
    examples = [
        PRMExample.model_validate(
            {
                "rollout_id": f"q{number}/small#000", "images": sample.images,
                "system": "Answer + or -.",
                "question": "Which?",
                "steps": ["red star", "so red"][: 1 + number % 2],
                "labels": [1, number % 3 % 2][: 1 + number % 2],
            }
        )
        for number, sample in enumerate(samples)
    ]  # fmt: skip
    parquet.write(examples, folder / "examples.parquet", PRMExample)
    store.save(folder / "images.parquet")


def recipe(**more: object) -> PRMTrainingConfig:
    """One epoch, one conversation a process and step."""
    settings = {
        "learning_rate": 1e-3, "schedule": "cosine", "warmup_ratio": 0.0, "weight_decay": 0.0,
        "betas": (0.9, 0.95), "max_grad_norm": 1.0, "epochs": 1, "micro_batch": 1,
        "accumulation": 1, "seed": 1, "tune_vision": True, "label_positions": "assistant_turns",
        "gradient_checkpointing": False, "deepspeed": None,
    }  # fmt: skip
    return PRMTrainingConfig.model_validate(settings | more)


def command(
    inputs: Path, weights: Path, training: PRMTrainingConfig, processes: int, *more: str
) -> list[str]:
    """What the rule runs."""
    several = ["-m", "torch.distributed.run", *ALONE, f"--nproc-per-node={processes}"]
    config = TrainSlice(training=training, base=EngineSlice(name="small", model=small()))
    return [
        sys.executable, *(several if processes > 1 else []), "-m", "vlprm.cli", "train",
        "--examples", str(inputs / "examples.parquet"),
        "--images", str(inputs / "images.parquet"),
        "--base", str(SMALL / "model.safetensors"), "--weights", str(weights),
        "--config", json.dumps(config.model_dump(mode="json")),
        "--placement", "training:cpu@0.9", *more,
    ]  # fmt: skip
