"""The mini experiment's configuration for a GPU, made from the one for a laptop.

The policy draws in vLLM, PRMs are trained through DeepSpeed's configuration file, and everything is
in bfloat16 on cards.

usage: python bench/gpu_config.py OUT.yaml
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from report import ROOT

DEEPSPEED = "configs/deepspeed_zero2.json"


def on_card(model: dict[str, Any]) -> dict[str, Any]:
    """A model of the mini experiment as a GPU runs the paper's."""
    engines = {"policy": "vllm", "scorer": "transformers"}
    kept = {key: value for key, value in model.items() if key not in ("engine", "engines")}
    return kept | {"engines": engines, "dtype": "bfloat16", "gpus": 1}


def mini() -> dict[str, Any]:
    """The whole mini experiment; one shard a data set, because vLLM's start costs most."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())
    config["run"] = "mini-gpu"
    config["models"] = {name: on_card(item) for name, item in config["models"].items()}
    for item in (*config["sources"].values(), *config["benchmarks"].values()):
        item["data"]["shard_size"] = item["data"]["n"]
    config["training"]["prm"] |= {"deepspeed": DEEPSPEED, "cards": 1}
    shared = {"share": True, "policy_memory": 0.55, "prm_memory": 0.35}
    config["evaluation"]["placement"] = shared
    return config


def cut(config: dict[str, Any], prms: list[str]) -> dict[str, Any]:
    """The same with the small policy, one benchmark and these PRMs."""
    kept = {"policies": ["small"], "benchmarks": ["matrix"], "prms": prms}
    for table, names in kept.items():
        config[table] = {name: config[table][name] for name in names}
    config["evaluation"] |= kept | {"step_truth": False}
    return config


def write(config: dict[str, Any], out: Path) -> None:
    """The configuration as a file of its own."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(mini(), Path(sys.argv[1]))
