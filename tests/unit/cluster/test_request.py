from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlprm.cluster.request import properties_of, request, work_key
from vlprm.errors import UserError

PROPERTIES = {
    "type": "single", "rule": "rollout", "wildcards": {"policy": "small", "shard": "000"},
    "input": ["a"], "output": ["b"], "params": {"config": "{}", "version": 1}, "threads": 2,
    "log": ["logs/x.log"], "resources": {"mem_mb": 4000, "runtime": 120, "gpu": 1},
}  # fmt: skip


def with_resources(**more: object) -> dict[str, object]:
    return PROPERTIES | {"resources": PROPERTIES["resources"] | more}  # type: ignore[operator]


def test_what_is_asked() -> None:
    job = request(PROPERTIES, "select", {"VLPRM_QUEUE": "gpu"})
    assert (job.name, job.threads, job.mem_mb) == ("rollout-small-000", 2, 4000)
    assert (job.walltime, job.gpus, job.nodes) == (7200, 1, 1)
    assert job.outputs == ["b"]
    assert (job.options, job.rule_logs) == ({"queue": "gpu"}, ["logs/x.log"])


@pytest.mark.parametrize(
    ("ran_out", "resources", "asked"),
    [
        ({}, {"scale": 3}, (4000, 120)),
        ({"memory": 1}, {"scale": 2}, (8000, 120)),
        ({"walltime": 1}, {"scale": 2}, (4000, 240)),
        ({"walltime": 1, "memory": 1}, {"scale": 3}, (8000, 240)),
        ({"memory": 2}, {"scale": 3}, (12000, 120)),
        ({"memory": 2}, {"scale": 3, "mem_mb_max": 9000}, (9000, 120)),
        ({"walltime": 2}, {"scale": 3, "runtime_max": 200}, (4000, 200)),
        ({"memory": 2}, {"scale": 1}, (4000, 120)),  # a rule that is kept as it is
        ({"memory": 2}, {}, (4000, 120)),
        ({"deleted": 2, "": 1, "node": 1}, {"scale": 3}, (4000, 120)),
    ],
)
def test_what_ran_out_grows_with_the_attempt_up_to_the_cap(
    ran_out: dict[str, int], resources: dict[str, int], asked: tuple[int, int]
) -> None:
    job = request(with_resources(**resources), "select", {}, ran_out)
    assert (job.mem_mb, job.walltime // 60) == asked


def test_a_rules_queue_wins_over_the_environment() -> None:
    job = request(with_resources(queue="long"), "select", {"VLPRM_QUEUE": "gpu"})
    assert job.options["queue"] == "long"


def test_same_work_has_the_same_key_and_other_parameters_another_digest() -> None:
    first, again = request(PROPERTIES, "select", {}), request(with_resources(scale=2), "nodes", {})
    other = request(PROPERTIES | {"params": {"config": "{1}"}}, "select", {})
    assert (first.key, first.digest) == (again.key, again.digest)
    assert first.key == other.key == work_key(PROPERTIES)
    assert first.digest != other.digest
    assert first.ticket != again.ticket


def test_a_group_job_needs_no_rule() -> None:
    group = {
        "type": "group", "groupid": "g:1/x", "output": ["b"], "threads": 1,
        "resources": {"_cores": 3, "mem_mb": 10},
    }  # fmt: skip
    job = request(group, "select", {})
    assert (job.name, job.threads) == ("g_1_x", 3)


def test_words_where_numbers_belong() -> None:
    with pytest.raises(UserError, match="rule rollout: resource mem_mb='much' is no number"):
        request(with_resources(mem_mb="much"), "select", {})


def test_the_jobscripts_line(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(f"#!/bin/sh\n# properties = {json.dumps(PROPERTIES)}\ntrue\n")
    assert properties_of(script)["rule"] == "rollout"
    script.write_text("#!/bin/sh\ntrue\n")
    with pytest.raises(UserError, match="no line '# properties"):
        properties_of(script)
    with pytest.raises(UserError, match="cannot read it"):
        properties_of(tmp_path / "absent")
