"""A PRM trained on values: with 1 and 0 it is the one of labels, with others it is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

from tests.unit.puzzles import SMALL, small
from tests.unit.training.prm_runs import recipe, write_inputs
from vlprm.config.slices.engines import TrainedEngine
from vlprm.config.slices.train import TrainSlice
from vlprm.io import parquet
from vlprm.labels.soft import SoftPRMExample
from vlprm.records import PRMExample
from vlprm.stages import train


def trained(folder: Path, name: str, share: float | None) -> dict[str, Tensor]:
    """Weights after two steps; ``share``: what becomes of a 1, None for labels."""
    table = folder / "examples.parquet"
    if share is not None:
        soft = [
            SoftPRMExample.model_validate(
                item.model_dump()
                | {"targets": [None if v is None else share * v for v in item.labels]}
            )
            for item in parquet.read(folder / "labels.parquet", PRMExample)
        ]
        parquet.write(soft, table, SoftPRMExample)
    weights = folder / name / "model.safetensors"
    config = TrainSlice.model_validate(
        {
            "training": recipe(micro_batch=4),
            "base": TrainedEngine(name="small", model=small()),
            "soft": share is not None,
        }
    )
    images = [folder / "images.parquet"]
    train.run(config, table, images, SMALL / "model.safetensors", weights)
    return load_file(weights)


@pytest.mark.slow
def test_values_of_one_and_nought_train_what_labels_train(tmp_path: Path) -> None:
    write_inputs(tmp_path, 8)
    hard = trained(tmp_path, "hard", None)
    (tmp_path / "examples.parquet").rename(tmp_path / "labels.parquet")
    same, other = trained(tmp_path, "same", 1.0), trained(tmp_path, "other", 0.5)
    for name, weight in hard.items():
        assert (same[name] - weight).abs().max() < 1e-5, name
    assert max(float((other[name] - weight).abs().max()) for name, weight in hard.items()) > 1e-4
