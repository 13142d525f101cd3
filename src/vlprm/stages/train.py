"""PRM training: conversations in, a checkpoint out."""

from __future__ import annotations

from pathlib import Path

from vlprm.config.slices import TrainSlice
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import checkpoint_files, recorded, sha256_of
from vlprm.records import PRMExample
from vlprm.stages import VERSIONS
from vlprm.training import train_prm


def run(config: TrainSlice, examples: Path, images: list[Path], base: Path, weights: Path) -> None:
    """Train one PRM; its folder is complete when ``weights`` is there."""
    outputs = [weights]
    with recorded(
        "train",
        VERSIONS["train"],
        config.model_dump(mode="json"),
        inputs=[examples, *images, base],
        outputs=outputs,
        models={config.base.name: sha256_of(base)},
    ) as counts:
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
        outputs += checkpoint_files(weights)
