"""Where models stand, and that rules, stages and slices say the same of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlprm.cli.arguments import placed
from vlprm.config import placement, slices
from vlprm.config.placement import WHOLE, Placement
from vlprm.config.run import Config, load_config
from vlprm.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
PAPER: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
MINI: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())


def config_of(change: dict[str, Any], base: dict[str, Any] = PAPER) -> Config:
    """The base with ``{"models.x.gpus": 2}`` changed."""
    config = copy.deepcopy(base)
    for path, value in change.items():
        *above, last = path.split("/")
        block: Any = config
        for key in above:
            block = block[key]
        block[last] = value
    return load_config(config, "run.yaml")


def test_small_policies_of_the_paper_share_a_card_with_the_prm() -> None:
    config = config_of({})
    found = placement.of_search(config, "qwen2.5-vl-7b", "vl-prm-7b")
    assert found == {"policy": Placement((0,), 0.55), "scorer": Placement((0,), 0.35)}
    assert placement.cards(found) == 1
    assert all(item.shared for item in found.values())


def test_a_policy_of_two_cards_stands_before_the_prm() -> None:
    found = placement.of_search(config_of({}), "qwen2.5-vl-32b", "vl-prm-3b")
    assert found == {"policy": Placement((0, 1), WHOLE), "scorer": Placement((2,), WHOLE)}
    assert placement.cards(found) == 3


@pytest.mark.parametrize("share", [False, ["gemma-3-12b"]])
def test_who_shares_can_be_named(share: object) -> None:
    config = config_of({"evaluation/guided/placement": {"share": share}})
    assert placement.cards(placement.of_search(config, "qwen2.5-vl-3b", "vl-prm-3b")) == 2
    shared = placement.cards(placement.of_search(config, "gemma-3-12b", "vl-prm-3b"))
    assert shared == (1 if share else 2)


def test_models_on_the_cpu_book_no_card() -> None:
    config = config_of({}, MINI)
    found = placement.of_search(config, "small", "prm-small")
    assert (
        placement.cards(found) == placement.cards(placement.of_training(config, "prm-small")) == 0
    )
    assert placement.write(found) == "policy:cpu@0.9+scorer:cpu@0.9"


def test_training_takes_a_node_whatever_scoring_takes() -> None:
    config = config_of({"models/qwen2.5-vl-7b/gpus": 2})
    assert placement.cards(placement.of_training(config, "vl-prm-7b")) == 8
    assert placement.of_prm(config, "vl-prm-7b")["scorer"].devices == (0, 1)


@pytest.mark.parametrize("policy", ["qwen2.5-vl-3b", "qwen2.5-vl-32b"])
def test_an_argument_carries_a_placement(policy: str) -> None:
    found = placement.of_search(config_of({}), policy, "vl-prm-3b")
    text = placement.write(found)
    assert not set(text) & set(" \"'$&|;<>()*?#~{}")
    assert placement.read(text) == found


@pytest.mark.parametrize("text", ["", "policy", "policy:0", "policy:0@2", "policy:x@0.9", "0@0.9"])
def test_what_is_no_placement_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no placement"):
        placement.read(text)


def test_a_job_stands_where_its_argument_says() -> None:
    config = config_of({})
    chosen = slices.search(config, "qwen2.5-vl-32b", "vl-prm-7b")
    text = placement.write(placement.of_search(config, "qwen2.5-vl-32b", "vl-prm-7b"))
    found = placed(chosen, text, policy_engine="policy", prm_engine="scorer")
    assert found.policy_engine.placement.devices == (0, 1)
    assert found.policy_engine.model.gpus == 2
    assert found.prm_engine.placement.devices == (2,)
    assert found.model_dump_json() == chosen.model_dump_json()
    with pytest.raises(UserError, match="places no scorer"):
        placed(chosen, "policy:0@0.9", policy_engine="policy", prm_engine="scorer")


def test_other_cards_change_no_slice() -> None:
    before = config_of({})
    after = config_of(
        {
            "models/qwen2.5-vl-32b/gpus": 4,
            "models/qwen2.5-vl-7b/gpus": 2,
            "cards": {"memory_gb": 40},
            "evaluation/guided/placement": {"share": True, "policy_memory": 0.5},
        }
    )
    for made in (
        lambda c: slices.rollout(c, "qwen2.5-vl-32b", "mmmu"),
        lambda c: slices.estimate(c, "teacher"),
        lambda c: slices.train(c, "vl-prm-7b"),
        lambda c: slices.score(c, "vl-prm-7b", "qwen2.5-vl-3b"),
        lambda c: slices.rank(c, "qwen2.5-vl-3b"),
        lambda c: slices.search(c, "qwen2.5-vl-32b", "vl-prm-7b"),
    ):
        assert made(before).model_dump_json() == made(after).model_dump_json()
        json_text = made(before).model_dump_json()
        assert "gpus" not in json_text
        assert "placement" not in json_text


def test_a_slice_holds_the_engine_of_its_own_role() -> None:
    config = config_of({})
    engines = {
        role: json.loads(made.model_dump_json())["engine"]["model"]["engines"]
        for role, made in {
            "policy": slices.rollout(config, "qwen2.5-vl-7b", "mmmu"),
            "scorer": slices.score(config, "vl-prm-7b", "qwen2.5-vl-3b"),
        }.items()
    }
    assert engines["policy"] == {"policy": "vllm", "scorer": None}
    assert engines["scorer"] == {"policy": None, "scorer": "transformers"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models/qwen2.5-vl-3b/engine": "vllm"}, "engines: {policy: vllm, scorer: transformers}"),
        ({"models/qwen2.5-vl-3b/engines": {"scorer": "vllm"}}, "vllm cannot score"),
        (
            {"models/qwen2.5-vl-3b/engines": {"policy": "vllm"}},
            "models.qwen2.5-vl-3b.engines names none; add scorer: transformers",
        ),
        (
            {"models/qwen2.5-vl-32b/engines": {"policy": "vllm"}},
            "evaluation.llm_judge: qwen2.5-vl-32b is used as a scorer",
        ),
        (
            {"models/gemma-3-27b/engines": {}},
            "policies.gemma-3-27b.model: gemma-3-27b is used as a policy",
        ),
        (
            {"models/gemma-3-27b/engines": {"policy": "transformers"}},
            "models.gemma-3-27b: gpus: 2, and engines.policy: transformers runs on one card",
        ),
        (
            {"evaluation/guided/placement": {"share": True, "policy_memory": 0.6}},
            "evaluation.guided.placement: policy_memory 0.6 and prm_memory 0.35 are 0.95",
        ),
        (
            {"evaluation/guided/placement": {"share": ["qwen3"]}},
            "evaluation.guided.placement.share: ['qwen3'] are not one of",
        ),
    ],
)
def test_what_cannot_stand_is_refused_where_it_is_read(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        config_of(change)
    assert said in str(caught.value)
    assert "run.yaml" in str(caught.value)
