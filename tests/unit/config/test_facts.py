"""Tables state what an answer counts as, whatever the configuration says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from tests.architecture.tree import ROOT
from vlprm.config.facts import facts
from vlprm.config.run import Config

MINI: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())


@pytest.mark.parametrize(
    ("unfinished", "unparsed", "cut", "nothing"),
    [
        ("wrong", "wrong", "counts as wrong", "a finished solution without one counts as wrong"),
        (
            "left_out",
            "ungraded",
            "is left out, on both sides of a difference",
            (
                "a finished solution without one: on matrix it is left out and counted apart; "
                "on matrix-near it counts as wrong"
            ),
        ),
    ],
)
def test_what_an_answer_counts_as(unfinished: str, unparsed: str, cut: str, nothing: str) -> None:
    config = copy.deepcopy(MINI)
    config["metrics"]["unfinished"] = unfinished
    config["benchmarks"]["matrix"]["grading"] = {"unparsed": unparsed}
    told = facts(Config.model_validate(config))
    assert told["unfinished"] == f"a solution cut at its limit {cut}"
    assert told["no answer found"] == nothing


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"draw": "all"}, "continuations per step: 8"),
        ({}, "continuations per step: at most 8, drawn until a label is decided"),
        (
            {"draw": "sequential", "error": 0.05, "max_tokens": 9},
            "at most 8, a sequential test with an error of at most 0.05 a step, cut at 9 tokens",
        ),
        ({"draw": "all", "steps": "bisection"}, "continuations per step: 8; steps by bisection"),
    ],
)
def test_how_continuations_were_drawn(keys: dict[str, Any], told: str) -> None:
    config = copy.deepcopy(MINI)
    config["labels"]["estimates"] |= keys
    if "steps" in keys:
        config["labels"]["rule"]["name"] = "monte_carlo"
    assert facts(Config.model_validate(config))["labels"].endswith(told)
