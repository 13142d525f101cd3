"""Train the mini base models of configs/mini.yaml on whatever device is there, side by side.

usage: python bench/base_models.py OUT_DIR [MODEL ...]
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
from pathlib import Path

import yaml

from vlprm.config.base_model import BaseModelConfig
from vlprm.determinism import settle_environment
from vlprm.training.base_model import train_base


def train(name: str, out_dir: Path) -> None:
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(message)s")
    config = yaml.safe_load(Path("configs/mini.yaml").read_text())["base_models"][name]
    out_dir.mkdir(parents=True, exist_ok=True)
    train_base(BaseModelConfig.model_validate(config), out_dir)


def main() -> None:
    settle_environment()
    out_dir = Path(sys.argv[1])
    names = sys.argv[2:] or ["small", "large"]
    context = multiprocessing.get_context("spawn")
    jobs = [context.Process(target=train, args=(name, out_dir / name)) for name in names]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    for name in names:
        recipe = json.loads((out_dir / name / "recipe.json").read_text())
        print(name, recipe["parameters"], recipe["final_loss"], json.dumps(recipe["held_out"]))


if __name__ == "__main__":
    main()
