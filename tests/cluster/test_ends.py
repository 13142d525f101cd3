"""Every way in which a job ends, on a real scheduler: reported with its reason, or tried again."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.cluster.flow import Flow

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(params=["pbs", "slurm"])
def flow(request: pytest.FixtureRequest, ends: Future[dict[str, Flow]]) -> Flow:
    return ends.result()[request.param]


def test_every_end_has_its_reason(flow: Flow) -> None:
    found = sorted((fact["rule"], fact["reason"]) for fact in flow.facts("failures"))
    assert found == [
        ("deleted", "deleted by qdel"),
        ("fails", "exit status 7"),  # the rule's own; the job ends with Snakemake's, 1
        ("fails", "exit status 7"),
        ("memory", "over memory (asked 500 MB)"),
        ("walltime", "over walltime (asked 00:01:00)"),
    ]
    for _, reason in found:
        assert reason in flow.printed


def test_killed_jobs_are_tried_again_with_more_of_what_ran_out(flow: Flow) -> None:
    grown = {"walltime": (1, 2), "memory": (2, 1), "deleted": (1, 1)}
    for name, (memory, walltime) in grown.items():
        assert (flow.folder / "out" / name).exists()
        jobs = [fact["job"] for fact in flow.facts("specs") if fact["job"]["rule"] == name]
        first, second = sorted(jobs, key=lambda job: job["ticket"])
        assert second["mem_mb"] == memory * first["mem_mb"]
        assert second["walltime"] == walltime * first["walltime"]


def test_sick_gpus_are_left_and_not_met_again(flow: Flow) -> None:
    checked = (flow.folder / "gpu.checked").read_text().splitlines()
    assert len(checked) == 2
    place = [(line.split()[0], line.split("GRES=")[1]) for line in checked]
    assert place[0] != place[1]  # another node, or another GPU of the same
    assert (flow.folder / "gpu.runs").read_text() == "ran\n"
    assert len(flow.facts("moved")) == 1
    assert (flow.folder / "out/gpu").exists()


def test_one_training_over_two_nodes(flow: Flow) -> None:
    assert (flow.folder / "out/nodes").read_text() == "3.0 ['n1', 'n2']"


def test_a_wrong_queue_is_one_clear_line(flow: Flow) -> None:
    said = [line for line in flow.printed.splitlines() if "there is no such queue" in line]
    assert len(said) == 1, "a refusal is final"
    assert said[0].startswith("error: job queue, queue nosuch: there is no such queue: ")
    assert not [fact for fact in flow.facts("jobs") if fact["rule"] == "queue"]


def test_status_command(flow: Flow) -> None:
    told = flow.status()
    assert "progress: 5 of 8 jobs done (62 %), over" in told
    assert "queue: no job of ours" in told
    assert "failures: 2" in told  # the others have succeeded since
    assert "no such planet" in told
    assert "there is no such queue" in told
    assert "\n      -> `qstat -Q` or `sinfo -s` lists the queues" in told
    assert "    exit status 7\n" in told


def test_nothing_is_left_in_the_queue(flow: Flow) -> None:
    assert flow.ids("RUNNING", "PENDING") == []
    assert not list(Path(flow.folder).rglob("*.tmp"))
