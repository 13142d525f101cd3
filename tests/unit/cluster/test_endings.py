from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vlprm.cluster.endings import never_runs, ran_out, reason, tail
from vlprm.cluster.qstat import ENDED, QUEUED, Seen
from vlprm.cluster.registry import Job

JOB = Job("t", "a", "a", "k", "d", "select", mem_mb=4000, walltime=300)


@pytest.mark.parametrize(
    ("seen", "ended", "why"),
    [
        (Seen(ENDED, -29), None, "over walltime (asked 00:05:00)"),
        (Seen(ENDED, -27), None, "over memory (asked 4000 MB)"),
        (Seen(ENDED, word="TIMEOUT"), None, "over walltime (asked 00:05:00)"),
        (Seen(ENDED, word="OUT_OF_MEMORY"), None, "over memory (asked 4000 MB)"),
        (Seen(ENDED, word="NODE_FAIL"), None, "its node failed"),
        (Seen(ENDED, word="CANCELLED"), None, "deleted by qdel"),
        (Seen(ENDED, 271, used=301), None, "over walltime (asked 00:05:00)"),  # Torque
        (Seen(ENDED, 271, used=20), None, "deleted by qdel"),
        (None, {"exit": 143, "signal": "SIGTERM", "seconds": 300.2}, "over walltime"),
        (None, {"exit": 3}, "exit status 3"),
        (None, {"exit": 137}, "ended by signal 9"),
        (Seen(ENDED, 265), None, "ended by signal 9"),
        (None, {"exit": 99, "why": "GPU health check failed on 4 allocations"}, "GPU health"),
        (Seen(ENDED, started=True), None, "killed: it ended without an exit status"),
    ],
)
def test_reasons(seen: Seen | None, ended: dict[str, Any] | None, why: str) -> None:
    assert reason(JOB, seen, ended).startswith(why)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("=>> PBS: job killed: walltime 13 exceeded limit 5", "over walltime"),
        ("=>> PBS: job killed: mem 900kb exceeded limit 400kb", "over memory"),
        ("slurmstepd: error: Exceeded job memory limit", "over memory"),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.batch", "over memory"),
        ("slurmstepd: error: *** JOB 1 ON n CANCELLED AT x DUE TO TIME LIMIT ***", "over walltime"),
    ],
)
def test_the_log_tells_where_the_server_does_not(tmp_path: Path, line: str, why: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"working\n{line}\n")
    assert reason(replace(JOB, log=str(log)), Seen(ENDED), {"exit": 1}).startswith(why)


def test_never() -> None:
    assert never_runs(Seen(QUEUED, comment="Can Never Run: too much")) == "too much"
    assert never_runs(Seen(QUEUED, comment="Not Running: busy")) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Command 'set -euo pipefail;  exit 7' returned non-zero exit status 7.", "exit status 7"),
        ("Command 'a\nb' returned non-zero exit status 137.", "ended by signal 9"),
        ("Command 'a' died with <Signals.SIGSEGV: 11>.", "ended by signal 11"),
        ("Error in rule a:", "exit status 1"),
    ],
)
def test_the_rules_own_exit_status(tmp_path: Path, line: str, why: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"CalledProcessError in file x:\n{line}\nExiting because a job failed\n")
    assert reason(replace(JOB, log=str(log)), None, {"exit": 1}) == why


def test_what_ran_out() -> None:
    kinds = [
        ran_out(JOB, Seen(ENDED, word="OUT_OF_MEMORY"), None),
        ran_out(JOB, Seen(ENDED, -29), None),
        ran_out(JOB, Seen(ENDED, 271, used=20), None),
        ran_out(JOB, Seen(ENDED, 265), None),
        ran_out(JOB, None, {"exit": 3}),
    ]
    assert kinds == ["memory", "walltime", "deleted", "", ""]


def test_tail(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("ab" * 100)
    assert tail(tmp_path / "log", 3) == "bab"
    assert tail(tmp_path / "absent") == ""
