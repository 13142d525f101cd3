"""The configuration as a whole: shipped files load, wrong keys are named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlprm.config import slices
from vlprm.config.checked import load_config
from vlprm.config.facts import facts
from vlprm.config.plan import Plan
from vlprm.config.work import Work
from vlprm.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
MINI: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())


@pytest.mark.parametrize(
    "name",
    ["config.yaml", "configs/mini.yaml", "configs/mini-size.yaml", "tests/workflow/nano.yaml"],
)
def test_shipped_configurations_load(name: str) -> None:
    load_config(yaml.safe_load((ROOT / name).read_text()), name)


def changed(*path: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(MINI)
    block: Any = config
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("sources", "matrix-train", "rolouts"), 4, "did you mean 'rollouts'"),
        (("seed",), "many", "seed: "),
        (("labels", "policy"), "huge", "'huge' is not one of"),
        (("evaluation", "prms"), ["prm-x"], "'prm-x' is not one of"),
        (("evaluation", "ranking", "candidates"), 4, "n 8 is more than candidates"),
        (("prms", "prm-small", "source"), "published", "names none"),
        (("labels", "estimates", "min_graded"), 99, "more than continuations"),
    ],
)
def test_a_wrong_key_is_named(path: tuple[str, ...], value: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(changed(*path, value=value), "run.yaml")
    assert said in str(caught.value)
    assert "run.yaml" in str(caught.value)


def test_every_wrong_key_is_listed_at_once() -> None:
    config = changed("seed", value="many")
    del config["metrics"]
    with pytest.raises(UserError, match=r"(?s)seed: .*metrics: missing|metrics: missing.*seed: "):
        load_config(config, "run.yaml")


def without(rule: str, *nulls: str) -> dict[str, Any]:
    config = changed("labels", "rule", value={"name": rule, "after_first_error": "stop"})
    if rule != "judge":
        config["labels"]["rule"]["threshold"] = 0.0
    for name in nulls:
        config["labels"][name] = None
    return config


@pytest.mark.parametrize(
    ("rule", "null", "other"),
    [("monte_carlo", "judge", "estimate"), ("judge", "estimates", "judge")],
)
def test_what_a_rule_does_not_need_may_be_null_and_is_no_job(
    rule: str, null: str, other: str
) -> None:
    config = without(rule, null)
    config["evaluation"]["step_truth"] = False
    plan = Plan(load_config(config, "run.yaml"))
    rules = {job.rule for job in Work(plan).jobs()}
    assert other in rules
    assert not {"estimate", "judge"} - {other} & rules
    assert slices.label.of(plan.config).min_graded == (4 if null == "judge" else None)
    facts(plan.config)


def test_a_judge_is_needed_for_the_truth_of_candidates_too() -> None:
    with pytest.raises(UserError, match=r"labels.judge: null, and evaluation.step_truth is true"):
        load_config(without("monte_carlo", "judge"), "run.yaml")


def test_another_rule_draws_no_other_estimates_unless_it_decides_when_to_stop() -> None:
    made = []
    for keys in ({"draw": "all"}, {"draw": "until_decided"}, {"draw": "sequential", "error": 0.1}):
        for rule in ("consensus", "monte_carlo"):
            config = without(rule)
            config["labels"]["estimates"] |= keys
            chosen = slices.estimate.of(load_config(config, "run.yaml"), "small")
            made.append(chosen.model_dump_json())
    assert made[0] == made[1]
    assert made[2] != made[3]
    assert made[4] != made[5]


def test_shards_cover_a_data_set_once() -> None:
    plan = Plan(load_config(MINI, "mini"))
    parts = [slices.prepare.of(plan.config, "matrix", shard) for shard in plan.shards("matrix")]
    rows = [row for part in parts for row in range(part.start, part.stop)]
    assert rows == list(range(MINI["benchmarks"]["matrix"]["data"]["n"]))


def test_a_longer_source_leaves_full_shards_alone() -> None:
    before = Plan(load_config(MINI, "mini"))
    more = changed("sources", "matrix-train", "data", "n", value=3001)
    after = Plan(load_config(more, "mini"))
    first = [slices.prepare.of(plan.config, "matrix-train", "000") for plan in (before, after)]
    assert first[0] == first[1]
    assert after.shards("matrix-train") == [*before.shards("matrix-train"), "002"]


def test_paper_run_asks_for_the_papers_grid() -> None:
    config = load_config(yaml.safe_load((ROOT / "config.yaml").read_text()), "config.yaml")
    sources = {"vqav2", "dvqa", "clevr", "ai2d", "infovqa", "raven"}
    assert {item.data.kind for item in config.sources.values()} == sources
    assert (len(config.evaluation.policies), len(config.prms)) == (5, 2)
    assert len(config.evaluation.benchmarks) == 5
    estimates = config.labels.estimates
    assert estimates is not None
    assert estimates.continuations == config.evaluation.ranking.candidates == 16
