"""Recorded answers of a real OpenPBS, read as what they mean."""

from __future__ import annotations

import pytest

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster import qstat
from vlprm.cluster.qstat import ENDED, HELD, QUEUED, RUNNING, UNKNOWN

LIVE = "qstat -x -f"


@pytest.mark.parametrize(
    ("job", "state", "code"),
    [
        ("132.pbshost", ENDED, 0),  # JSON
        ("136.pbshost", ENDED, -29),  # JSON, over walltime
        ("133.pbshost", ENDED, 3),  # from here on text: these were not recorded as JSON
        ("134.pbshost", ENDED, 271),  # deleted while it ran
        ("138.pbshost", ENDED, None),  # deleted in the queue
        ("99999.pbshost", UNKNOWN, None),
    ],
)
def test_ended_jobs(openpbs: Scheduler, job: str, state: str, code: int | None) -> None:
    seen = qstat.query("select", [job])
    assert (seen[job.split(".")[0]].state, seen[job.split(".")[0]].exit) == (state, code)


@pytest.mark.parametrize(
    ("name", "line", "state"),
    [
        ("running_json", f"{LIVE} -F json 134.pbshost", RUNNING),
        ("queued_json", f"{LIVE} -F json 138.pbshost", QUEUED),
        ("running_f", f"{LIVE} 134.pbshost", RUNNING),
        ("queued_f", f"{LIVE} 138.pbshost", QUEUED),
        ("held_f", f"{LIVE} 137.pbshost", HELD),
        ("never_f", f"{LIVE} 135.pbshost", QUEUED),
    ],
)
def test_live_jobs(openpbs: Scheduler, name: str, line: str, state: str) -> None:
    openpbs.record(name, line)
    job = line.split()[-1]
    assert qstat.query("select", [job])[job.split(".")[0]].state == state


def test_a_malformed_id_is_unknown(openpbs: Scheduler) -> None:
    openpbs.record("malformed", "qstat -x -f -F json notajob")
    assert qstat.query("select", ["notajob"])["notajob"].state == UNKNOWN


def test_folded_lines_are_joined(openpbs: Scheduler) -> None:
    openpbs.record("never_f", f"{LIVE} 135.pbshost")
    seen = qstat.query("select", ["135.pbshost"])["135"]
    assert seen.comment.endswith("Insufficient amount of resource: ncpus (R: 64 A: 4 T: 4)")
    assert seen.asked == 300


def test_several_jobs_in_one_question(openpbs: Scheduler) -> None:
    seen = qstat.query("select", ["132.pbshost", "133.pbshost"])
    assert {job: one.exit for job, one in seen.items()} == {"132": 0, "133": 3}
    mixed = qstat.query("select", ["132.pbshost", "99999.pbshost"])
    assert (mixed["132"].exit, mixed["99999"].state) == (0, UNKNOWN)


def test_history_off(scheduler: Scheduler, openpbs: Scheduler) -> None:
    off = "qstat: PBS is not configured to maintain job history\n"
    for form in ("-x -f -F json", "-x -f"):
        for job in ("132.pbshost", "134.pbshost", "99999.pbshost"):
            openpbs.answer(f"qstat {form} {job}", err=off, code=1)
    openpbs.answer(
        "qstat -f 132.pbshost", err="qstat: 132.pbshost Job has finished, use -x\n", code=35
    )
    assert qstat.query("select", ["132.pbshost"])["132"] == qstat.Seen(ENDED)
    assert qstat.query("select", ["134.pbshost"])["134"].state == RUNNING
    assert qstat.query("select", ["99999.pbshost"])["99999"].state == UNKNOWN


@pytest.mark.parametrize(
    "said",
    [
        "qstat: cannot connect to server pbshost (errno=15010)",
        "Connection refused",
        "pbs_iff: error returned: 15031; Communication failure.",
        "qstat: End of File",
    ],
)
def test_a_server_that_is_away_says_nothing_about_a_job(scheduler: Scheduler, said: str) -> None:
    scheduler.answer("qstat *", err=said, code=111)
    assert qstat.query("select", ["5.host"]) == {}
    assert qstat.query("nodes", ["5"]) == {}


def test_json_that_is_none_falls_back_to_text(openpbs: Scheduler) -> None:
    openpbs.answer("qstat -x -f -F json 133.pbshost", out='{"Jobs": {"133": {"a": "b"c"}}}')
    assert qstat.query("select", ["133.pbshost"])["133"].exit == 3


def test_text_before_the_json(scheduler: Scheduler) -> None:
    answer = '{\n    "Jobs":{\n        "5.host":{"job_state":"F", "Exit_status":3}\n    }\n}\n'
    for before in ("Welcome {user}\n", "Unknown Job Id 5.host\n\n", "\n\n", ""):
        scheduler.answer("qstat *", out=before + answer + "Have a nice day\n")
        seen = qstat.query("select", ["5.host"])["5"]
        assert (seen.state, seen.exit) == (ENDED, 3), before
    assert "qstat -x -f 5.host" not in scheduler.asked, "the JSON was read, not asked again"


def test_a_folded_line_that_opens_with_a_brace_is_text() -> None:
    text = "Job Id: 5.host\n    Variable_List = A=\n\t{x}\n    job_state = R\n"
    assert qstat.parse(text)["5"].state == RUNNING


def test_slurms_qstat(scheduler: Scheduler) -> None:
    text = "Job Id:\t7\n\tJob_Name = a\n\tjob_state = C\n\tResource_List.walltime = 00:02:00\n\n"
    scheduler.answer("qstat *", out=text)
    seen = qstat.query("nodes", ["7", "8"])
    assert (seen["7"].state, seen["7"].exit, seen["7"].asked) == (ENDED, None, 120)
    assert seen["8"].state == UNKNOWN
    scheduler.answer("qstat *", err="Problem loading jobs.\n", code=2)
    assert qstat.query("nodes", ["7"]) == {}


def test_seconds() -> None:
    assert [qstat.seconds(text) for text in ("00:05:00", "90:00", "5400")] == [300, 5400, 5400]
    assert qstat.seconds("1h") is None
