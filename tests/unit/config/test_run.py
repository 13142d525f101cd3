"""The configuration as a whole: shipped files load, wrong keys are named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlprm.config.plan import Plan
from vlprm.config.run import load_config
from vlprm.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
MINI: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())


@pytest.mark.parametrize("name", ["config.yaml", "configs/mini.yaml", "tests/workflow/nano.yaml"])
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
        (("evaluation", "ranking", "candidates"), 8, "n 16 is more than candidates"),
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


def test_shards_cover_a_data_set_once() -> None:
    plan = Plan(load_config(MINI, "mini"))
    parts = [plan.prepare("matrix", shard) for shard in plan.shards("matrix")]
    rows = [row for part in parts for row in range(part.start, part.stop)]
    assert rows == list(range(MINI["benchmarks"]["matrix"]["data"]["n"]))


def test_a_longer_source_leaves_full_shards_alone() -> None:
    before = Plan(load_config(MINI, "mini"))
    more = changed("sources", "matrix-train", "data", "n", value=401)
    after = Plan(load_config(more, "mini"))
    assert after.prepare("matrix-train", "000") == before.prepare("matrix-train", "000")
    assert after.shards("matrix-train") == [*before.shards("matrix-train"), "002"]


def test_paper_run_asks_for_the_papers_grid() -> None:
    config = load_config(yaml.safe_load((ROOT / "config.yaml").read_text()), "config.yaml")
    sources = {"vqav2", "dvqa", "clevr", "ai2d", "infovqa", "raven"}
    assert {item.data.kind for item in config.sources.values()} == sources
    assert (len(config.evaluation.policies), len(config.prms)) == (5, 2)
    assert len(config.evaluation.benchmarks) == 5
    assert config.labels.estimates.continuations == config.evaluation.ranking.candidates == 16
