"""Expected continuations: the judge first, and draws until a side is known."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from tests.workflow.runs import ROOT, nano
from vlprm.config.checked import load_config
from vlprm.config.expected import PREFIXES, RIGHT, WRONG, continuations, shares, step_draws
from vlprm.config.run import Config
from vlprm.label_rules.rule import EstimateRule

PAPER: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())


def paper(rule: str = "consensus", threshold: float = 0.0, **keys: Any) -> Config:
    config = copy.deepcopy(PAPER)
    config["labels"]["estimates"] |= {"doubtful_first": False} | keys
    config["labels"]["rule"] |= {"name": rule, "threshold": threshold}
    return load_config(config, "x")


def test_shares_are_the_authors_counts() -> None:
    judged, right = shares("raven")
    assert judged == pytest.approx(6_726 / 286_003)
    assert right == pytest.approx(judged * 1_477 / (1_477 + 4_610))
    judged, _ = shares("another kind")
    assert judged == pytest.approx(170_789 / 513_707, abs=1e-5)


def test_where_the_judge_names_an_error_consensus_draws_nothing() -> None:
    config = paper()
    assert continuations(config, "raven") < 0.02 * PREFIXES * 16
    assert continuations(config, "raven") < continuations(config, "dvqa")
    assert continuations(paper(draw="all"), "raven") == PREFIXES * 16


@pytest.mark.parametrize("source", PAPER["sources"])
def test_cheaper_orders_take_fewer(source: str) -> None:
    made = [
        continuations(paper("monte_carlo", 0.5, **keys), source)
        for keys in (
            {"draw": "all"},
            {"draw": "until_decided"},
            {"draw": "sequential", "error": 0.05},
            {"draw": "sequential", "error": 0.05, "steps": "bisection"},
        )
    ]
    assert made == sorted(made, reverse=True)
    assert made[2] > 1.5 * made[3]
    together, first = (
        continuations(paper(doubtful_first=first, draw="until_decided"), source)
        for first in (False, True)
    )
    assert 0 < first < together
    judged = continuations(paper("agreement", 0.5, draw="sequential", error=0.05), source)
    assert 0 < judged < made[0]


def test_draws_of_a_step() -> None:
    config = paper()
    estimates, rule = config.labels.estimates, config.labels.rule
    assert estimates is not None
    assert isinstance(rule, EstimateRule)
    assert step_draws(estimates, rule, WRONG) == 16
    assert step_draws(estimates, rule, 1.0) == 1
    by_hand = 1 + 0.2 * (1 + 0.2 * (2 + 0.04 * (4 + 0.0016 * 8)))
    assert step_draws(estimates, rule, RIGHT) == pytest.approx(by_hand)


def test_another_source_is_taken_as_the_mean() -> None:
    config = load_config(nano(), "x")
    assert continuations(config, "matrix-train") == PREFIXES * 4
