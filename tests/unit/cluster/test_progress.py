"""What ``vlprm status`` prints, from what runs leave behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.progress import check_run, report
from vlprm.cluster.registry import Job, Registry
from vlprm.errors import UserError

LOG = """\
Job stats:
job      count
-----  -------
a            3
total        4

1 of 4 steps (25%) done
[Wed Nov 25 13:51:20 2026]
Error in rule b:
    message: For further error details see the cluster/cloud log
    jobid: 4
    output: out/b.txt
    log: logs/mini/b.log (check log file(s) for error details)

2 of 4 steps (50%) done
"""


def lines(run: str | None = None) -> str:
    return "\n".join(report(Path.cwd(), run))


def snakemake_log(text: str, name: str = "2026-01-01") -> None:
    log = Path(f".snakemake/log/{name}.snakemake.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)


def test_without_scheduler(scheduler: Scheduler) -> None:
    snakemake_log(LOG)
    snakemake_log("total  9\nThis was a dry-run (flag -n).", "2026-01-02")
    Path("logs/mini").mkdir(parents=True)
    Path("logs/mini/b.log").write_text("first\n" * 50 + "disk full\n")
    done = Path("results/mini/a.parquet.manifest.json")
    done.parent.mkdir(parents=True)
    done.touch()
    text = lines()
    assert "progress: 2 of 4 jobs done (50 %), last heard of 0:00:0" in text
    assert "results: 1 complete stages in results/mini" in text
    assert "queue: no job of ours" in text
    assert "failures: 1\n  b: out/b.txt\n" in text
    assert text.endswith("disk full")
    assert text.count("first") == 7
    assert "failures: none" in lines("paper")


def test_with_jobs(scheduler: Scheduler, submitted: Callable[..., Job]) -> None:
    snakemake_log(LOG.split("[Wed")[0])
    submitted("1", dialect="nodes", name="rollout-000")
    submitted("2", dialect="nodes", name="rollout-001")
    bad = submitted("3", dialect="nodes", name="train-prm", log="cluster.log")
    Path("cluster.log").write_text("killed\n")
    Registry().fail(bad, "over walltime (asked 00:05:00)", 0)
    retried = submitted("4", dialect="nodes", key="again")
    Registry().fail(retried, "over memory (asked 1 MB)", 0)
    submitted("5", dialect="nodes", key="again")
    scheduler.answer("qstat *", "Job Id: 1\n\tjob_state = R\n\nJob Id: 2\n\tjob_state = Q\n\n")
    text = lines()
    assert "queue: 1 queued, 1 running, 1 unknown" in text
    assert "  running   1            rollout-000, submitted " in text
    assert "  train-prm (job 3)\n    over walltime (asked 00:05:00)\n    cluster.log:\n" in text
    assert "over memory" not in text  # tried again since


REFUSED = """\
total        4

[Wed Nov 25 13:51:20 2026]
Error in rule b:
    message: Error submitting jobscript (exit code 2):
error: job b, queue gpu: there is no such queue: qsub: Unknown queue
  -> `qstat -Q` lists the queues
For further error details see the cluster/cloud log
    jobid: 4
    output: out/b.txt

2 of 4 steps (50%) done
"""


def test_a_refusal_with_its_cure(scheduler: Scheduler) -> None:
    snakemake_log(REFUSED)
    told = "    job b, queue gpu: there is no such queue: qsub: Unknown queue\n"
    assert told + "      -> `qstat -Q` lists the queues" in lines()
    assert "For further" not in lines()


def test_jobs_that_ctrl_c_deleted(scheduler: Scheduler, submitted: Callable[..., Job]) -> None:
    snakemake_log(LOG.split("[Wed")[0])
    for number in "123":
        job = submitted(number, dialect="nodes")
        Registry().write("cancelled", job.ticket, {"time": 0})
    scheduler.answer("qstat *", "Job Id: 1\n\tjob_state = E\n\n", code=0)
    assert "queue: 1 running\n" in lines()  # within the server's kill delay
    assert "cancelled: 3, deleted with their run (Ctrl-C)" in lines()
    scheduler.answer("qstat *", code=153)
    assert "queue: no job of ours\n" in lines()
    assert "unknown" not in lines()
    submitted("4", dialect="nodes", key="k3")  # the next run
    assert "queue: 1 unknown\n" in lines()
    assert "cancelled: 2" in lines()


def test_a_queued_job_that_can_never_run(
    scheduler: Scheduler, submitted: Callable[..., Job]
) -> None:
    snakemake_log(LOG.split("[Wed")[0])
    submitted("1", dialect="nodes")
    said = "    comment = Can Never Run: Insufficient amount of resource: ncpus"
    scheduler.answer("qstat *", f"Job Id: 1\n    job_state = Q\n{said}\n\n")
    assert "ago can never run: Insufficient amount of resource: ncpus\n" in lines()
    assert "never ran" not in lines()


def test_a_server_that_is_away(scheduler: Scheduler, submitted: Callable[..., Job]) -> None:
    submitted("1", dialect="nodes")
    assert "queue: 1 unreachable" in lines()


def test_where_nothing_ran(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no workflow has run here"):
        list(report(tmp_path))


DONE = "Job stats:\njob    count\na          4\ntotal      4\n\n4 of 4 steps (100%) done\n"
END = "Complete log(s): here\n"
NOTHING = "Nothing to be done (all requested files are present and up to date).\n"


def test_a_finished_run(scheduler: Scheduler) -> None:
    snakemake_log(DONE + END)
    assert "progress: finished, 4 of 4 jobs done (100 %)\n" in lines()


def test_a_finished_run_that_was_called_again(scheduler: Scheduler) -> None:
    snakemake_log(LOG + "Exiting because a job execution failed.\n", "2026-01-01")
    snakemake_log(DONE + END, "2026-01-02")
    for day in (3, 4):
        snakemake_log(NOTHING + END, f"2026-01-0{day}")
    assert "progress: finished, 4 of 4 jobs done (100 %)\n" in lines()
    assert "failures: none" in lines()
    snakemake_log(LOG, "2026-01-05")
    assert "progress: 2 of 4 jobs done (50 %), last heard of" in lines()


def test_nothing_was_ever_to_do(scheduler: Scheduler) -> None:
    snakemake_log(NOTHING + END)
    assert "progress: finished, nothing was left to do\n" in lines()


def test_a_run_that_failed_is_over_and_not_finished(scheduler: Scheduler) -> None:
    snakemake_log(LOG + "Exiting because a job execution failed.\n" + END)
    assert "progress: 2 of 4 jobs done (50 %), over\n" in lines()


def test_a_run_that_is_not_there(scheduler: Scheduler) -> None:
    with pytest.raises(UserError, match=r"(?s)nobody: no such run.*nothing has run here"):
        check_run(Path.cwd(), "nobody")
    for name in ("results/mini", "logs/nano", "logs/cluster"):
        Path(name).mkdir(parents=True)
    check_run(Path.cwd(), "mini")
    for name in ("nobody", "cluster", ""):
        with pytest.raises(UserError, match="runs here: mini, nano"):
            check_run(Path.cwd(), name)
