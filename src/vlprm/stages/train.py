"""PRM training: conversations in, a checkpoint out."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from vlprm.config.slices import TrainSlice
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import checkpoint_files, recorded, sha256_of
from vlprm.records import PRMExample
from vlprm.stages import VERSIONS
from vlprm.training import train_prm
from vlprm.training.processes import first_process


def run(config: TrainSlice, examples: Path, images: list[Path], base: Path, weights: Path) -> None:
    """Train one PRM; its folder is complete when ``weights`` is there.

    Under torchrun every process runs this, and the first one writes and records.
    """
    outputs = [weights]
    record = (
        recorded(
            "train",
            VERSIONS["train"],
            config.model_dump(mode="json"),
            inputs=[examples, *images, base],
            outputs=outputs,
            models={config.base.name: sha256_of(base)},
            gpus=len(config.base.placement.devices),
        )
        if first_process()
        else nullcontext(dict[str, int]())
    )
    with record as counts:
        conversations = tables.read(examples, PRMExample)
        trained = train_prm(
            config.training,
            config.base.model,
            base.parent,
            conversations,
            ImageStore(*images),
            weights.parent,
        )
        counts.update(trained)
        if first_process():
            outputs += checkpoint_files(weights)
