"""Run times follow from counts; shards are sized to hours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.runs import ROOT, nano
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.config.times import BOUND_HOURS, FLOOR, FLOOR_CARDS, SAFETY, Rate, Times, read_rates
from vlprm.config.work import Work
from vlprm.errors import UserError


def plan_of(config: dict[str, Any]) -> Plan:
    return Plan(load_config(config, "test"))


def paper() -> dict[str, Any]:
    return copy.deepcopy(yaml.safe_load((ROOT / "config.yaml").read_text()))


def test_every_sharded_job_of_the_papers_run_stays_within_the_bound() -> None:
    times = Times(plan_of(paper()))
    for job in times.jobs:
        if job.shard:
            assert times.seconds(job) <= 3600 * BOUND_HOURS, job


def test_counts_of_the_papers_run() -> None:
    config = paper()
    rules = Times(plan_of(config)).rules()
    rollouts = sum(item["data"]["n"] * item["rollouts"] for item in config["sources"].values())
    questions = sum(item["data"]["n"] for item in config["benchmarks"].values())
    assert rules["estimate"].units == rules["judge"].units == rollouts == 515_400
    assert rules["score"].units == questions * 16 * 5 * 2
    assert rules["train"].units == rollouts * 2 * 2


def test_a_shard_too_large_is_told_with_one_that_fits() -> None:
    config = paper()
    config["sources"]["vqav2"]["data"]["shard_size"] = 1000
    config["labels"]["estimates"] |= {"draw": "all", "doubtful_first": False}
    times = Times(plan_of(config))
    job = next(j for j in times.jobs if j.rule == "estimate" and j.keys[-1] == "vqav2")
    assert times.seconds(job) > 3600 * BOUND_HOURS
    size = times.shard_size(job)
    assert size is not None
    config["sources"]["vqav2"]["data"]["shard_size"] = size
    fitting = Times(plan_of(config))
    job = next(j for j in fitting.jobs if j.rule == "estimate" and j.keys[-1] == "vqav2")
    assert 0.9 * 3600 * BOUND_HOURS < fitting.seconds(job) <= 3600 * BOUND_HOURS


def test_minutes() -> None:
    times = Times(plan_of(paper()))
    job = next(j for j in times.jobs if j.rule == "estimate")
    asked = times.minutes("estimate", (*job.keys, job.shard))
    assert asked * 60 >= SAFETY * times.seconds(job) > (asked - 1) * 60
    assert times.minutes("label", (*job.keys, job.shard)) == FLOOR
    assert times.minutes("rollout", ("unknown", "to", "it")) == FLOOR_CARDS
    assert times.minutes("tables") == FLOOR


def test_searches_have_their_own_jobs_and_cost_their_width() -> None:
    config = paper()
    common = {"max_steps": 100, "step_tokens": 2048, "deduplicate": True, "stop_at_box": False}
    wide = {"kind": "beam", "beams": 8, "expansions": 4, "aggregate": "min"}
    config["searches"]["beam-8x4"] = wide | common
    config["evaluation"]["searches"]["beam-8x4"] = ["puzzlevqa"]
    times = Times(plan_of(config))
    jobs = {job.keys: job for job in times.jobs if job.rule == "search" and job.shard == "000"}
    assert len(jobs) == 2 * 5 * (2 + 1)
    greedy, beam = (
        jobs[name, "vl-prm-3b", "qwen2.5-vl-3b", "puzzlevqa"] for name in ("greedy-16", "beam-8x4")
    )
    assert beam.path.endswith(
        "searches/beam-8x4/vl-prm-3b/qwen2.5-vl-3b/puzzlevqa/000.rollouts.parquet"
    )
    assert times.rate(beam).unit == pytest.approx(2 * times.rate(greedy).unit)
    graded = [job for job in times.jobs if job.rule == "grade_search"]
    assert {job.keys for job in graded} == set(jobs)
    assert times.minutes("search", (*beam.keys, "000")) >= FLOOR_CARDS


def test_a_last_shard_is_shorter() -> None:
    jobs = [job for job in Work(plan_of(nano())).jobs() if job.rule == "estimate"]
    assert [job.units for job in jobs] == [8 * 2, 7 * 2]


def test_measured_rates_replace_stated_ones(tmp_path: Path) -> None:
    plan = plan_of(nano())
    file = tmp_path / "results" / "nano-rehearsal" / "rehearsal.csv"
    assert read_rates(file) == {}
    file.parent.mkdir(parents=True)
    file.write_text("rule,keys,start_s,unit_s\nestimate,small/matrix-train,60,75\n")
    times = Times.of(plan, tmp_path)
    job = next(j for j in times.jobs if j.rule == "estimate")
    assert times.rate(job) == Rate(60, 75)
    assert times.seconds(job) == 60 + 16 * 75
    assert times.minutes("estimate", (*job.keys, job.shard)) == 42
    assert times.shard_size(job, hours=0.35) == 8


def test_a_damaged_report_is_told(tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.csv"
    file.write_text("rule,keys\nestimate,small\n")
    with pytest.raises(UserError, match="not a rehearsal's report"):
        read_rates(file)
