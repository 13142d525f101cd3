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
from vlprm.config.checked import load_config
from vlprm.config.facts import facts
from vlprm.config.placement import WHOLE_CARD, Placement
from vlprm.config.run import Config
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
    assert found == {"policy": Placement((0, 1), WHOLE_CARD), "scorer": Placement((2,), WHOLE_CARD)}
    assert placement.cards(found) == 3


@pytest.mark.parametrize("share", [False, ["gemma-3-12b"]])
def test_who_shares_can_be_named(share: object) -> None:
    config = config_of({"evaluation/placement": {"share": share}})
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
    chosen = slices.search.of(config, "greedy-16", "qwen2.5-vl-32b", "vl-prm-7b")
    text = placement.write(placement.of_search(config, "qwen2.5-vl-32b", "vl-prm-7b"))
    found = placed(chosen, text)
    assert found.policy_engine.placement.devices == (0, 1)
    assert found.policy_engine.model.gpus == 2
    assert found.prm_engine.placement.devices == (2,)
    assert found.model_dump_json() == chosen.model_dump_json()
    with pytest.raises(UserError, match="places no scorer"):
        placed(chosen, "policy:0@0.9")
    with pytest.raises(UserError, match="places judge, which this stage does not run"):
        placed(chosen, f"{text}+judge:0@0.9")


@pytest.mark.parametrize(
    ("text", "again"),
    [("policy:0@0.9+policy:1@0.9", "policy twice"), ("policy:0,0@0.9", "a card twice")],
)
def test_a_role_and_a_card_are_named_once(text: str, again: str) -> None:
    with pytest.raises(UserError, match=again):
        placement.read(text)


@pytest.mark.parametrize(
    ("chosen", "asked"), [("trained", "policy_steps_v1"), ("policy", "policy_boxed_v1")]
)
def test_a_prm_is_asked_what_it_was_trained_on(chosen: str, asked: str) -> None:
    config = config_of({"prms/vl-prm-7b/question_prompt": chosen})
    trained = slices.examples.of(config, dict.fromkeys(config.sources, 1)).user_prompt
    assert trained == "policy_steps_v1"
    assert slices.score.of(config, "vl-prm-7b", "qwen2.5-vl-3b").user_prompt == asked
    searching = slices.search.of(config, "greedy-16", "qwen2.5-vl-32b", "vl-prm-7b")
    assert searching.prm_user_prompt == asked
    assert searching.policy.user_prompt == "policy_boxed_v1"
    # a plain model that ranks was trained on no such text
    assert slices.score.of_judge(config, "qwen2.5-vl-3b").user_prompt == "policy_boxed_v1"


def test_trainings_are_pooled() -> None:
    again = {"training/again": PAPER["training"]["prm"] | {"seed": 101}}
    other = {"prms/vl-prm-3b-b": PAPER["prms"]["vl-prm-3b"] | {"training": "again"}}
    names = ["vl-prm-3b", "vl-prm-7b", "vl-prm-3b-b"]
    group = {"evaluation/prms": names, "evaluation/replicates": {"3b": [names[0], names[2]]}}
    config = config_of(again | other | group)
    assert slices.metrics.of(config, "mmmu", 2).replicates == {"3b": (names[0], names[2])}
    assert "vl-prm-3b-b" in facts(config)["PRM 3b"]
    same = again | {"training/again": PAPER["training"]["prm"]}
    with pytest.raises(UserError, match=r"evaluation\.replicates\.3b: two of .* have one seed"):
        config_of(same | other | group)


def test_other_cards_change_no_slice() -> None:
    before = config_of({})
    after = config_of(
        {
            "models/qwen2.5-vl-32b/gpus": 4,
            "models/qwen2.5-vl-7b/gpus": 2,
            "cards": {"memory_gb": 40},
            "evaluation/placement": {"share": True, "policy_memory": 0.5},
        }
    )
    for made in (
        lambda c: slices.rollout.of(c, "qwen2.5-vl-32b", "mmmu"),
        lambda c: slices.estimate.of(c, "teacher"),
        lambda c: slices.train.of(c, "vl-prm-7b"),
        lambda c: slices.score.of(c, "vl-prm-7b", "qwen2.5-vl-3b"),
        lambda c: slices.score.of_judge(c, "qwen2.5-vl-3b"),
        lambda c: slices.search.of(c, "greedy-16", "qwen2.5-vl-32b", "vl-prm-7b"),
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
            "policy": slices.rollout.of(config, "qwen2.5-vl-7b", "mmmu"),
            "scorer": slices.score.of(config, "vl-prm-7b", "qwen2.5-vl-3b"),
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
            "models.qwen2.5-vl-3b.engines names none\n      -> add scorer: transformers",
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
            {"models/qwen2.5-vl-32b/engines/policy": "transformers"},
            "models.qwen2.5-vl-32b: gpus: 2, and engines.policy: transformers runs on one card",
        ),
        (
            {"models/gemma-3-27b/engines": {"policy": "transformers"}},
            "engines.policy: transformers does not run family gemma3\n      -> say vllm",
        ),
        (
            {"models/gemma-3-12b/engines": {"policy": "vllm", "scorer": "transformers"}},
            (
                "engines.scorer: transformers, and family gemma3 is no scorer\n"
                "      -> leave scorer out, or use a model of qwen2.5-vl"
            ),
        ),
        (
            {"evaluation/llm_judge": "gemma-3-12b"},
            (
                "evaluation.llm_judge: gemma-3-12b is used as a scorer, and its family gemma3 is no"
                " scorer\n      -> name a model of qwen2.5-vl"
            ),
        ),
        (
            {"models/qwen2.5-vl-3b/family": "qwen2.5"},
            (
                "models.qwen2.5-vl-3b.family: 'qwen2.5' is not one of ['gemma3', 'qwen2.5-vl']"
                " (did you mean 'qwen2.5-vl'?)"
            ),
        ),
        ({"models/gemma-3-12b/family": ["gemma3"]}, "models.gemma-3-12b.family"),
        (
            {
                "models/gemma-3-12b": {
                    "source": "build",
                    "family": "gemma3",
                    "engines": {},
                    "dtype": "bfloat16",
                    "pixels": {"min": 1, "max": 2},
                    "batch_tokens": 1,
                }
            },
            "source: build writes a checkpoint of qwen2_5_vl, which family gemma3 does not read",
        ),
        (
            {"evaluation/placement": {"share": True, "policy_memory": 0.6}},
            "evaluation.placement: policy_memory 0.6 and prm_memory 0.35 are 0.95",
        ),
        (
            {"evaluation/placement": {"share": ["qwen3"]}},
            "evaluation.placement.share: 'qwen3' is not one of",
        ),
    ],
)
def test_what_cannot_stand_is_refused_where_it_is_read(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        config_of(change)
    assert said in str(caught.value)
    assert "run.yaml" in str(caught.value)
