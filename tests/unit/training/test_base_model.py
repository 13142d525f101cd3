"""The rule that makes the mini base models, at a size that takes seconds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from vlprm.config.base_model import BaseModelConfig
from vlprm.engines.hf_policy import HFPolicy
from vlprm.training.base_model import train_base

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "models" / "mini"
SETTINGS = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())["base_models"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    tiny = {"n_puzzles": 64, "n_held_out": 4, "batch": 16, "steps": 3, "cycle_steps": 6}
    config = BaseModelConfig.model_validate({**SETTINGS["small"], **tiny})
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for folder in folders:
        train_base(config, folder, device="cpu")
    return folders


def test_the_same_seed_gives_the_same_bytes(built: list[Path]) -> None:
    one, two = ({f.name: f.read_bytes() for f in folder.iterdir()} for folder in built)
    assert one == two


def test_the_recipe_tells_every_file(built: list[Path]) -> None:
    recipe = json.loads((built[0] / "recipe.json").read_text())
    names = {file.name for file in built[0].iterdir()} - {"recipe.json"}
    assert set(recipe["sha256"]) == names
    assert 0 <= recipe["held_out"]["seen_claims"] <= 1


def test_a_built_model_serves_as_policy(built: list[Path]) -> None:
    from tests.unit.puzzles import CPU, GREEDY, questions, request, small

    samples, store = questions(1)
    engine = HFPolicy(built[0], store, small(batch_tokens=4096), CPU)
    ((drawn,),) = engine.generate([request(samples[0], (0,))], GREEDY)
    assert drawn.completion_tokens > 0


@pytest.mark.parametrize(("name", "most"), [("small", 2_000_000), ("large", 6_000_000)])
def test_shipped_weights_are_those_of_their_recipe(name: str, most: int) -> None:
    folder = MODELS / name
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe["parameters"] <= most
    assert recipe["config"] == BaseModelConfig.model_validate(SETTINGS[name]).model_dump(
        mode="json"
    )
    for file, digest in recipe["sha256"].items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest, file


def test_shipped_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in MODELS.rglob("*.safetensors")) <= 16 * 2**20
