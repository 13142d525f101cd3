"""Batches of prefixes: as large as what is drawn of them at once."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from tests.unit.labels.test_rollout_labels import rollout
from tests.workflow.runs import ROOT
from vlprm.config import slices
from vlprm.config.checked import load_config
from vlprm.stages import estimate

PAPER: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.mark.parametrize(
    ("keys", "engine", "size"),
    [
        ({"draw": "all", "doubtful_first": False}, "vllm", 2),  # 2 x 3 x 16 are 96
        ({"draw": "until_decided"}, "vllm", 30),  # one of each prefix first
        ({"draw": "until_decided"}, "transformers", 2),  # no queue: as ever
    ],
)
def test_a_queue_is_filled_by_the_first_round(
    monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], engine: str, size: int
) -> None:
    config = copy.deepcopy(PAPER)
    config["labels"]["estimates"] |= keys
    teacher = config["policies"]["teacher"]["model"] = "qwen2.5-vl-3b"
    config["models"][teacher]["engines"]["policy"] = engine
    told = slices.estimate.of(load_config(config, "x"), "teacher")
    monkeypatch.setattr(estimate, "CONTINUATIONS_PER_BATCH", 90)
    solutions = [
        rollout(3).model_copy(update={"sample_id": f"q{n}", "id": f"q{n}#0"}) for n in range(60)
    ]
    batches = estimate._batches(told, solutions)
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert sum(map(len, batches)) == 60
