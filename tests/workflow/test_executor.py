"""What our executor changes of cluster-generic; that a run ends is tested with every profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

generic = pytest.importorskip("snakemake_executor_plugin_cluster_generic")
ours = pytest.importorskip("snakemake_executor_plugin_vlprm_cluster")


@dataclass
class Asked:
    """What Snakemake is told."""

    job: Any = field(default_factory=lambda: SimpleNamespace(attempt=1, restart_times=2))
    told: list[str | None] = field(default_factory=list)

    def report(self, msg: str | None) -> None:
        executor = ours.Executor.__new__(ours.Executor)
        executor.report_job_error(SimpleNamespace(job=self.job, external_jobid=None), msg=msg)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    there = Asked()
    monkeypatch.setattr(
        generic.Executor,
        "report_job_error",
        lambda self, job_info, msg=None, **_: there.told.append(msg),
    )
    return there


@pytest.mark.parametrize(
    ("msg", "attempts_left"),
    [
        ("Error submitting jobscript (exit code 2):\nerror: there is no such queue", 0),
        ("Error submitting jobscript (exit code 75):\nerror: cannot be reached", 2),
        ("Error submitting jobscript (exit code 127):\n", 2),
        (None, 2),
    ],
)
def test_a_refusal_is_final(asked: Asked, msg: str | None, attempts_left: int) -> None:
    asked.report(msg)
    # Snakemake tries again while restart_times > attempt - 1
    assert asked.job.restart_times - (asked.job.attempt - 1) == attempts_left
    assert asked.told == [msg]


def test_its_settings_are_those_of_cluster_generic() -> None:
    assert ours.ExecutorSettings is generic.ExecutorSettings
    assert ours.common_settings is generic.common_settings
