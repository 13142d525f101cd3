from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.registry import Job, Registry, short


def test_ids() -> None:
    assert [short(one) for one in ("12.host", "12", "12;cluster", " 12.a.b\n")] == ["12"] * 4


def test_a_job_id_that_comes_back_names_the_newest_job(
    scheduler: Scheduler, submitted: Callable[..., Job]
) -> None:
    submitted("1.host", ticket="old")
    Registry().write("ended", "old", {"exit": 1})
    submitted("1.host", ticket="new")
    job = Registry().job("1")
    assert job is not None
    assert (job.ticket, Registry().ended(job)) == ("new", None)


def test_half_a_file_is_no_fact(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.write("ended", "a/b", {"exit": 0})
    path = registry.path("ended", "a/b")
    assert path.name == "a_b.json"
    path.write_text('{"exit":')
    assert registry.read("ended", "a/b") is None
    assert registry.read("ended", "absent") is None


def test_a_submission_that_was_answered_twice_is_followed_where_it_runs(
    scheduler: Scheduler, submitted: Callable[..., Job]
) -> None:
    job = submitted("8")
    assert Registry().id_of(job) == "8"
    Registry().write("started", job.ticket, {"id": "7"})
    assert Registry().id_of(job) == "7"


def test_what_a_killed_job_left_half_written_goes_with_its_failure(
    scheduler: Scheduler, submitted: Callable[..., Job]
) -> None:
    killed, other = submitted("1", ticket="killed"), submitted("2", ticket="other")
    halves = {}
    for job in (killed, other):
        path = Registry().path("ended", job.ticket)
        path.parent.mkdir(parents=True, exist_ok=True)
        halves[job.ticket] = path.with_name(f".{path.name}.x1y2.tmp")
        halves[job.ticket].write_text('{"exit":')
    Registry().fail(killed, "over memory (asked 500 MB)", 0)
    assert not halves["killed"].exists()
    assert halves["other"].exists()
