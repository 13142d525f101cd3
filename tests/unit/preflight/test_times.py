"""Long jobs are told with the shard size that would fit."""

from __future__ import annotations

import copy
from pathlib import Path

import yaml

from tests.unit.preflight.machines import machine_of, plan_of
from tests.workflow.runs import ROOT, nano
from vlprm.preflight.times import check_times


def test_gpu_hours_of_every_rule(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    found = list(check_times(plan_of(config), machine_of(tmp_path)))
    assert [item.state for item in found] == ["ok"]
    assert "GPU hours: rollout " in found[0].what
    assert "estimate " in found[0].what
    assert "stated speeds" in found[0].what


def test_a_day_and_the_profiles_own_limit(tmp_path: Path) -> None:
    config = copy.deepcopy(yaml.safe_load((ROOT / "config.yaml").read_text()))
    config["sources"]["raven"]["data"]["shard_size"] = 1500
    config["labels"]["estimates"] |= {"draw": "all", "doubtful_first": False}
    (_, long) = check_times(plan_of(config), machine_of(tmp_path))
    assert long.state == "warning"
    assert "estimate teacher/raven" in long.what
    assert "(limit 24 h)" in long.what
    assert "raven: shard_size 1200" in str(long.cure)
    limits = {
        "default_resources": ["runtime_max=120"],
        "set_resources": {"train": {"runtime_max": 600}},
    }
    (_, long, whole) = check_times(plan_of(config), machine_of(tmp_path, **limits))
    assert "estimate teacher/vqav2 19." in long.what
    assert "vqav2: shard_size 9" in str(long.cure)
    assert "train vl-prm-7b" in whole.what
    assert "train vl-prm-3b" not in whole.what


def test_without_a_gpu(tmp_path: Path) -> None:
    (found,) = check_times(plan_of(nano()), machine_of(tmp_path))
    assert "no GPU" in found.what
