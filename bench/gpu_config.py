"""Configurations for measurements on a GPU, made from the mini experiment's.

``mini``: the mini experiment with its policies in vLLM, its PRMs trained through DeepSpeed's
configuration file, everything in bfloat16 on cards. ``shape``: a checkpoint of a real shape is the
base of the PRM and one of the policies; the mini policy draws what is labelled, because random
weights write nothing that could be.

usage: python bench/gpu_config.py mini OUT.yaml
       python bench/gpu_config.py shape OUT.yaml CHECKPOINT
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from report import ROOT

DEEPSPEED = "configs/deepspeed_zero2.json"


def on_cards(model: dict[str, Any]) -> dict[str, Any]:
    """A model of the mini experiment as a GPU runs the paper's."""
    engines = {"policy": "vllm", "scorer": "transformers"}
    kept = {key: value for key, value in model.items() if key not in ("engine", "engines")}
    return kept | {"engines": engines, "dtype": "bfloat16", "gpus": 1}


def mini() -> dict[str, Any]:
    """The whole mini experiment; one shard a data set, because vLLM's start costs most."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())
    config["run"] = "mini-gpu"
    config["models"] = {name: on_cards(item) for name, item in config["models"].items()}
    for item in (*config["sources"].values(), *config["benchmarks"].values()):
        item["data"]["shard_size"] = item["data"]["n"]
    config["training"]["prm"] |= {"deepspeed": DEEPSPEED, "cards": 1}
    shared = {"share": True, "policy_memory": 0.55, "prm_memory": 0.35}
    config["evaluation"]["guided"]["placement"] = shared
    return config


def shape(checkpoint: Path) -> dict[str, Any]:
    """Few questions, one PRM, twenty training steps, at the checkpoint's shape."""
    config = mini()
    config["run"] = "shape"
    real = config["models"]["small"] | {"path": str(checkpoint)}
    config["models"] = {"small": config["models"]["small"], "real": real}
    config["policies"]["large"]["model"] = "real"
    config["policies"]["real"] = config["policies"].pop("large")
    config["sources"]["matrix-train"]["data"] |= {"n": 40, "shard_size": 40}
    config["training"]["prm"] |= {
        "learning_rate": 1e-5, "epochs": 1, "micro_batch": 4, "accumulation": 2,
        "tune_vision": False, "gradient_checkpointing": True,
    }  # fmt: skip
    config["prms"] = {"prm": config["prms"]["prm-small"] | {"base": "real"}}
    config["benchmarks"].pop("matrix-unseen")
    config["benchmarks"]["matrix"]["data"] |= {"n": 48, "shard_size": 48}
    evaluation = config["evaluation"]
    evaluation |= {"policies": ["small", "real"], "prms": ["prm"], "benchmarks": ["matrix"]}
    evaluation["ranking"] |= {"candidates": 8, "n": [1, 2, 4, 8]}
    evaluation["guided"] |= {"n": 4, "max_steps": 8}
    return config


def write(config: dict[str, Any], out: Path) -> None:
    """The configuration as a file of its own."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["mini", out]:
            write(mini(), Path(out))
        case ["shape", out, checkpoint]:
            write(shape(Path(checkpoint)), Path(out))
        case _:
            sys.exit(__doc__)
