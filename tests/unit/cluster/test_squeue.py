"""Answers as Slurm 22.05 gives them."""

from __future__ import annotations

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.qstat import ENDED, HELD, QUEUED, RUNNING, UNKNOWN
from vlprm.cluster.squeue import query


def test_states(scheduler: Scheduler) -> None:
    scheduler.answer(
        "squeue *",
        "1|RUNNING|None\n2|PENDING|Resources\n3|PENDING|JobHeldUser\n4|TIMEOUT|TimeLimit\n"
        "5|COMPLETED|None\n6|COMPLETING|None\n7|NODE_FAIL|NodeDown\n",
    )
    seen = query([str(number) for number in range(1, 9)])
    states = [RUNNING, QUEUED, HELD, ENDED, ENDED, RUNNING, ENDED, UNKNOWN]
    assert [seen[str(number)].state for number in range(1, 9)] == states
    assert (seen["4"].word, seen["5"].exit) == ("TIMEOUT", 0)


def test_forgotten_jobs_are_looked_up_in_the_accounting(scheduler: Scheduler) -> None:
    scheduler.answer("squeue *", err="slurm_load_jobs error: Invalid job id specified", code=1)
    assert query(["9"])["9"].state == UNKNOWN
    scheduler.answer("sacct *", "9|OUT_OF_MEMORY|0:125\n")
    assert (query(["9"])["9"].state, query(["9"])["9"].word) == (ENDED, "OUT_OF_MEMORY")
    scheduler.answer("sacct *", "Slurm accounting storage is disabled\n", code=1)
    assert query(["9"])["9"].state == UNKNOWN


def test_a_controller_that_is_away(scheduler: Scheduler) -> None:
    assert query(["9"]) == {}
    scheduler.answer("squeue *", err="slurm_load_jobs error: Unable to contact", code=1)
    assert query(["9"]) == {}
