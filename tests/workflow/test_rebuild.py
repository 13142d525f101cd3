"""Partial rebuilds, read off Snakemake's own job list: each change reruns exactly its part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.runs import ROOT, Workdir, nano

AFTER_SELECT = {"select", "metrics", "costs", "tables", "figures", "cost_pages"}
AFTER_LABEL = {
    "label", "examples", "train", "score", "search", "grade_search", "step_metrics",
    *AFTER_SELECT,
}  # fmt: skip


@pytest.fixture(scope="module")
def done(nano_run: Workdir) -> Workdir:
    return nano_run


def test_nothing_changed_reruns_nothing(done: Workdir) -> None:
    assert done.planned(nano()) == {}


def test_an_aggregation_added(done: Workdir) -> None:
    config = nano()
    config["evaluation"]["ranking"]["aggregations"].append("max")
    assert set(done.planned(config)) == AFTER_SELECT


def test_label_rule_changed(done: Workdir) -> None:
    config = nano()
    config["labels"]["rule"]["name"] = "monte_carlo"
    jobs = set(done.planned(config))
    assert jobs == AFTER_LABEL
    assert not jobs & {"rollout", "estimate", "judge"}


def test_where_the_judge_runs_and_how_long_it_is_waited_for(done: Workdir) -> None:
    config = nano()
    config["labels"]["judge"] |= {"where": "job", "timeout_seconds": 60}
    assert done.planned(config) == {}


def test_learning_rate_changed(done: Workdir) -> None:
    config = nano()
    name = next(iter(config["training"]))
    config["training"][name]["learning_rate"] *= 2
    assert set(done.planned(config)) == AFTER_LABEL - {"label", "examples"}


def test_one_scorer_version(done: Workdir) -> None:
    config = nano()
    config["benchmarks"]["matrix"]["scorer_version"] += 1
    jobs = done.planned(config)
    assert set(jobs) == {"grade", "grade_search", "metrics", "tables", "figures", "cost_pages"}
    for rule in ("grade", "grade_search", "metrics"):
        assert all("/matrix" in path for path in jobs[rule]), jobs[rule]
        assert not any("matrix-unseen" in path for path in jobs[rule]), jobs[rule]


def test_one_question_added_to_a_source(done: Workdir) -> None:
    config = nano()
    data = config["sources"]["matrix-train"]["data"]
    last = f"{(data['n'] - 1) // data['shard_size']:03d}"
    data["n"] += 1
    assert data["n"] % data["shard_size"] != 1, "the added question must not open a new shard"
    jobs = done.planned(config)
    for rule in ("prepare", "rollout", "estimate", "judge", "label"):
        assert all(f"matrix-train/{last}." in path for path in jobs[rule]), jobs[rule]
    assert set(jobs) == AFTER_LABEL | {"prepare", "rollout", "estimate", "judge"}


def test_readme_comments_and_profile_resources(done: Workdir) -> None:
    (done.path / "README.md").write_text("another text\n")
    config: dict[str, Any] = nano()
    assert done.planned(config) == {}
    printed = done.run(config, "--dry-run", "--default-resources", "mem_mb=4321").stdout
    assert "Nothing to be done" in printed
    assert (ROOT / "README.md").exists()


def test_other_cards_and_shares(done: Workdir) -> None:
    config: dict[str, Any] = nano()
    config["cards"] = {"memory_gb": 24}
    config["evaluation"]["placement"] = {"share": True, "policy_memory": 0.4}
    assert done.planned(config) == {}
    for model in config["models"].values():
        model["gpus"] = 1
    assert done.planned(config) == {}, "without containers, which GPU jobs would change"


def test_a_scorer_is_no_matter_of_rollouts(done: Workdir) -> None:
    config = nano()
    config["models"]["large"]["engines"]["policy"] = "vllm"
    jobs = done.planned(config)
    assert "score" in jobs, "of the changed policy's rollouts"
    for rule in ("rollout", "search"):
        assert all("/large/" in path for path in jobs[rule]), jobs[rule]
    assert not {"train", "estimate"} & set(jobs)
