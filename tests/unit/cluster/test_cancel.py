from __future__ import annotations

from collections.abc import Callable

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.cancel import cancel
from vlprm.cluster.registry import Job, Registry


def test_deletes_what_has_not_ended_and_follows_moves(
    scheduler: Scheduler, submitted: Callable[..., Job]
) -> None:
    scheduler.answer("qdel *")
    scheduler.answer("scancel *")
    for job_id, dialect in (("1.host", "select"), ("2.host", "select"), ("3", "slurm")):
        submitted(job_id, dialect=dialect)
    submitted("4.host", key="k1.host")
    Registry().write("ended", "t2.host", {"exit": 0})
    Registry().write("moved", "t1.host", {"id": "4.host"})
    assert cancel(Registry(), ["1.host", "2.host", "3", "not-ours"], patience=10) == 3
    assert sorted(scheduler.asked) == ["qdel 1.host 4.host", "scancel 3"]
    for ticket in ("t1.host", "t4.host", "t3"):
        assert Registry().read("cancelled", ticket), "the next run must know"
    assert not Registry().read("cancelled", "t2.host")
