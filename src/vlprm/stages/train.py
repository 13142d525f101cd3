"""PRM training: conversations in, a checkpoint out."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import nullcontext
from pathlib import Path

from vlprm.config.slices import TrainSlice
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import checkpoint_files, recorded, sha256_of, versions
from vlprm.records import PRMExample
from vlprm.stages import VERSIONS
from vlprm.training import forget_training, train_prm
from vlprm.training.processes import first_process


def run(
    config: TrainSlice,
    examples: Path,
    images: list[Path],
    base: Path,
    weights: Path,
    workers: int = 0,
    save_minutes: float = 30,
) -> None:
    """Train one PRM; its folder is complete when ``weights`` is there.

    Under torchrun every process runs this, and the first one writes and records. A run that was
    killed goes on from its last state, which is removed once the checkpoint is recorded.
    """
    outputs = [weights]
    inputs = [examples, *images, base]
    record = (
        recorded(
            "train",
            VERSIONS["train"],
            config.model_dump(mode="json"),
            inputs=inputs,
            outputs=outputs,
            models={config.base.name: sha256_of(base)},
            gpus=len(config.base.placement.devices),
        )
        if first_process()
        else nullcontext(dict[str, int]())
    )
    with record as counts:
        trained = train_prm(
            config.training,
            config.base.model,
            base.parent,
            tables.Rows(examples, PRMExample),
            ImageStore(*images),
            weights.parent,
            workers=workers,
            save_minutes=save_minutes,
            digest=_digest(config, inputs) if first_process() else "",
        )
        counts.update(trained)
        if first_process():
            outputs += checkpoint_files(weights)
    forget_training(weights.parent)


def _digest(config: TrainSlice, inputs: list[Path]) -> str:
    """Of everything that decides the bytes of the checkpoint.

    So do the number of processes (which conversations stand together) and whether there are GPUs.
    """
    facts = {
        "stage": VERSIONS["train"],
        "config": config.model_dump(mode="json"),
        "inputs": [sha256_of(path) for path in inputs if path.is_file()],
        "deepspeed": _text(config.training.deepspeed),
        "on_gpu": bool(config.base.placement.devices),
        "processes": os.environ.get("WORLD_SIZE", "1"),
        "packages": versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _text(path: str | None) -> str | None:
    return Path(path).read_text(encoding="utf-8") if path and Path(path).is_file() else None
