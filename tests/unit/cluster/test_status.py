"""*failed* needs evidence; recorded answers of a real OpenPBS give it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import pytest

from tests.unit.cluster.conftest import Scheduler
from tests.workflow.runs import ROOT
from vlprm.cluster import status as command
from vlprm.cluster.qstat import Seen
from vlprm.cluster.registry import Job, Registry, write_whole
from vlprm.cluster.status import status

Submitted = Callable[..., Job]
ENDS = json.loads((ROOT / "tests/cases/slurm_ends.json").read_text(encoding="utf-8"))
ASK = "qstat -x -f -F json"


def reason(job: Job) -> str:
    fact = Registry().read("failures", job.ticket)
    return str(fact["reason"]) if fact else ""


def test_the_jobs_own_exit_status_is_enough(scheduler: Scheduler, submitted: Submitted) -> None:
    good, bad = submitted("1"), submitted("2")
    Registry().write("ended", good.ticket, {"exit": 0})
    Registry().write("ended", bad.ticket, {"exit": 3})
    assert status(Registry(), "1") == "success"
    assert status(Registry(), "2") == "failed"
    assert reason(bad) == "exit status 3"


@pytest.mark.parametrize(
    ("job_id", "word", "why"),
    [
        ("132.pbshost", "success", ""),
        ("133.pbshost", "failed", "exit status 3"),
        ("136.pbshost", "failed", "over walltime (asked 00:05:00)"),
        ("134.pbshost", "failed", "deleted by qdel"),
    ],
)
def test_recorded_ends(
    openpbs: Scheduler, submitted: Submitted, job_id: str, word: str, why: str
) -> None:
    job = submitted(job_id)
    assert status(Registry(), job_id) == word
    assert reason(job) == why


def test_deleted_in_the_queue(
    openpbs: Scheduler, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted("138.pbshost")
    started = submitted("138.pbshost", ticket="started")
    Registry().write("started", started.ticket, {"id": "138.pbshost"})
    assert status(Registry(), "138.pbshost") == "running"  # no exit status: time for a marker
    submitted("138.pbshost")
    assert status(Registry(), "138.pbshost") == "failed"  # never started: there is none to come
    assert reason(job) == "deleted by qdel before it ran"


def test_deleted_in_the_queue_without_history(
    scheduler: Scheduler, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.answer("qstat *", err="qstat: Unknown Job Id 5.host\n", code=153)
    job = submitted("5.host")
    assert status(Registry(), "5.host") == "running"
    monkeypatch.setattr(command, "QUEUED_PATIENCE", 0.01)
    time.sleep(0.05)
    assert status(Registry(), "5.host") == "failed"
    assert reason(job).startswith("deleted before it ran")


@pytest.mark.parametrize("case", ENDS, ids=lambda case: f"{case['state']} {case['exit']}")
@pytest.mark.parametrize("dialect", ["slurm", "nodes"])
def test_ends_that_only_the_accounting_knows(
    scheduler: Scheduler,
    submitted: Submitted,
    monkeypatch: pytest.MonkeyPatch,
    case: dict[str, str],
    dialect: str,
) -> None:
    monkeypatch.setenv("VLPRM_MARKER_PATIENCE", "0.01")
    scheduler.answer("qstat *", code=153)  # the qsub of Slurm forgets, too
    scheduler.answer("squeue *", err="slurm_load_jobs error: Invalid job id specified", code=1)
    scheduler.answer("sacct *", f"5|{case['state']}|{case['exit']}\n")
    job = submitted("5", dialect=dialect)
    status(Registry(), "5")
    time.sleep(0.02)
    assert status(Registry(), "5") == case["word"]
    if "reason" in case:
        assert reason(job) == case["reason"]
    if "kind" in case:
        assert (Registry().read("failures", job.ticket) or {})["kind"] == case["kind"]


def test_the_end_of_a_cancelled_job_is_no_failure(
    scheduler: Scheduler, submitted: Submitted
) -> None:
    scheduler.answer("squeue *", "5|CANCELLED|None\n")
    job = submitted("5", dialect="slurm")
    Registry().write("cancelled", job.ticket, {"time": 0})
    assert status(Registry(), "5") == "running"
    assert reason(job) == ""


def test_a_marker_outweighs_the_accounting(scheduler: Scheduler, submitted: Submitted) -> None:
    scheduler.answer("squeue *", err="slurm_load_jobs error: Invalid job id specified", code=1)
    scheduler.answer("sacct *", "5|CANCELLED by 0|0:15\n")
    job = submitted("5", dialect="slurm")
    Registry().write("ended", job.ticket, {"exit": 0})
    assert status(Registry(), "5") == "success"


@pytest.mark.parametrize("name", ["running_json", "queued_json", "never_f", "held_f"])
def test_recorded_live_jobs(openpbs: Scheduler, submitted: Submitted, name: str) -> None:
    job_id = {"running_json": "134", "queued_json": "138", "never_f": "135", "held_f": "137"}[name]
    openpbs.record(name, f"{ASK} {job_id}.pbshost")
    submitted(f"{job_id}.pbshost")
    assert status(Registry(), f"{job_id}.pbshost") == "running"


def test_a_request_that_can_never_run_is_deleted_after_a_while(
    openpbs: Scheduler, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    openpbs.record("never_f", f"{ASK} 135.pbshost")
    openpbs.answer("qdel *")
    job = submitted("135.pbshost")
    assert status(Registry(), "135.pbshost") == "running"
    monkeypatch.setenv("VLPRM_NEVER_PATIENCE", "0.01")
    time.sleep(0.05)
    assert status(Registry(), "135.pbshost") == "failed"
    assert reason(job).startswith("never ran: Insufficient amount of resource: ncpus (R: 64")
    assert "qdel 135.pbshost" in openpbs.asked


def test_history_off_waits_for_the_marker(
    openpbs: Scheduler, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted("99999.pbshost")
    assert status(Registry(), "99999.pbshost") == "running"
    Registry().write("ended", job.ticket, {"exit": 0})
    assert status(Registry(), "99999.pbshost") == "success"
    lost = submitted("99999.pbshost", ticket="lost")
    Registry().write("started", lost.ticket, {"id": "99999.pbshost"})
    monkeypatch.setenv("VLPRM_MARKER_PATIENCE", "0.01")
    assert status(Registry(), "99999.pbshost") == "running"
    time.sleep(0.05)
    assert status(Registry(), "99999.pbshost") == "failed"
    assert reason(lost).startswith("lost: the scheduler does not know it any more")


@pytest.mark.parametrize("code", [0, 1, 111, 153])
def test_hiccups_are_running(
    scheduler: Scheduler, submitted: Submitted, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setenv("VLPRM_MARKER_PATIENCE", "0")
    scheduler.answer(
        "qstat *", err="Connection refused\nqstat: cannot connect to server", code=code
    )
    submitted("5.host")
    for _ in range(3):
        assert status(Registry(), "5.host") == "running"


def test_no_qstat_at_all_is_running(scheduler: Scheduler, submitted: Submitted) -> None:
    submitted("5.host")
    assert status(Registry(), "5.host") == "running"


def test_a_job_that_moved_on_is_followed(scheduler: Scheduler, submitted: Submitted) -> None:
    first, second = submitted("5"), submitted("6", key="k5")
    Registry().write("moved", first.ticket, {"id": "6", "why": "sick"})
    scheduler.answer("qstat *", err="Connection refused", code=1)
    assert status(Registry(), "5") == "running"
    Registry().write("ended", second.ticket, {"exit": 0})
    assert status(Registry(), "5") == "success"


def test_the_sidecars_fresh_look_saves_the_question(
    scheduler: Scheduler, submitted: Submitted
) -> None:
    scheduler.answer("qstat *", err="Connection refused", code=1)
    submitted("7.host", run="r")
    state = command.state_file(Registry(), "r")
    jobs = {"7": Seen("running").__dict__}
    write_whole(state, json.dumps({"time": time.time(), "jobs": jobs}))
    assert status(Registry(), "7.host") == "running"
    assert scheduler.asked == []
    old = time.time() - 100
    os.utime(state, (old, old))
    status(Registry(), "7.host")
    assert len(scheduler.asked) > 0


def test_the_command_prints_one_word_whatever_happens(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["status", "not-ours"])
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    assert command.main() == 0
    assert capsys.readouterr().out == "running\n"


def test_a_job_told_to_end_may_be_back_in_the_queue(
    scheduler: Scheduler, submitted: Submitted
) -> None:
    """Its node went down, or it was preempted: SIGTERM, then the scheduler starts it over."""
    job = submitted("5", dialect="nodes")
    Registry().write("ended", job.ticket, {"exit": 143, "signal": "SIGTERM", "seconds": 20})
    for answer in ("Q", "R", "E"):
        scheduler.answer("qstat *", f"Job Id: 5\n\tjob_state = {answer}\n\n")
        assert status(Registry(), "5") == "running"
    scheduler.answer("qstat *", err="Connection refused", code=1)
    assert status(Registry(), "5") == "running"
    scheduler.answer("qstat *", code=153)  # gone, and it said how it ended
    assert status(Registry(), "5") == "failed"
    assert reason(job) == "deleted by qdel"


def test_a_lost_node_is_shown_before_the_job_is_queued_again(
    scheduler: Scheduler, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted("5", dialect="slurm")
    Registry().write("ended", job.ticket, {"exit": 143, "signal": "SIGTERM"})
    scheduler.answer("squeue *", "5|NODE_FAIL|NodeDown\n")
    assert status(Registry(), "5") == "running"
    scheduler.answer("squeue *", "5|PENDING|BeginTime\n")
    assert status(Registry(), "5") == "running"
    scheduler.answer("squeue *", "5|NODE_FAIL|NodeDown\n")
    monkeypatch.setenv("VLPRM_MARKER_PATIENCE", "0.01")
    assert status(Registry(), "5") == "running"
    time.sleep(0.05)
    assert status(Registry(), "5") == "failed"
    assert reason(job) == "its node failed"
