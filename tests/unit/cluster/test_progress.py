"""What ``vlprm status`` prints, from what runs leave behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cluster.conftest import Scheduler
from vlprm.cluster.progress import report
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


def test_a_server_that_is_away(scheduler: Scheduler, submitted: Callable[..., Job]) -> None:
    submitted("1", dialect="nodes")
    assert "queue: 1 unreachable" in lines()


def test_where_nothing_ran(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no workflow has run here"):
        list(report(tmp_path))
