"""Memory asked for follows from counts, and never from anything else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from vlprm.config.checked import load_config
from vlprm.config.host_memory import BASE_MB, UNMEASURED_MB, HostMemory
from vlprm.config.plan import Plan

PAPER: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "config.yaml").read_text()
)


def memory(**sources: int) -> HostMemory:
    config = copy.deepcopy(PAPER)
    for name, n in sources.items():
        config["sources"][name]["data"] |= {"n": n, "shard_size": 1000}
    return HostMemory(Plan(load_config(config, "x")))


def test_the_paper_fits_into_four_gib_a_job() -> None:
    found = memory()
    jobs = [
        ("examples", ()), ("tables", ()), ("figures", ()), ("label", ("teacher", "raven", "000")),
        *((rule, ("mathvision",)) for rule in ("metrics", "step_metrics")),
        ("select", ("qwen2.5-vl-3b", "mathvision")),
    ]  # fmt: skip
    for rule, wildcards in jobs:
        assert BASE_MB <= found.megabytes(rule, wildcards) <= 4096, rule


@pytest.mark.parametrize("rule", ["examples", "tables"])
def test_more_rollouts_want_more(rule: str) -> None:
    small, large = (memory(raven=n).megabytes(rule) for n in (1000, 1_000_000))
    assert small < large
    # 999,000 questions of 6 rollouts each
    per_rollout = (large - small) * 1e6 / (999_000 * 6)
    twice = memory(raven=2_000_000).megabytes(rule) - large
    assert twice * 1e6 / 6_000_000 == pytest.approx(per_rollout, rel=0.01)


def test_a_job_of_a_shard_asks_for_its_shard() -> None:
    found = memory(raven=1500)
    first, last = (
        found.megabytes("label", ("teacher", "raven", shard)) for shard in ("000", "001")
    )
    assert first > last > BASE_MB


def test_other_jobs() -> None:
    assert memory().megabytes("judge", ("teacher", "raven", "000")) == UNMEASURED_MB
    assert memory().megabytes("label", ("nobody", "raven", "000")) == BASE_MB
