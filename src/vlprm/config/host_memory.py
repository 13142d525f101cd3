"""Host memory of the rules that run no model, from the counts of their jobs.

A job needs what its packages take and what it keeps of each record; the rest is streamed. The
bytes were measured by ``bench/memory_at_scale.py`` on made-up records of the published sizes
(9 steps of 200 characters per solution).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from vlprm.config.plan import Plan
from vlprm.config.work import Job, Work

BASE_MB = 1000
"""Interpreter and packages (140 to 290 MB measured), and batches in work."""
MARGIN = 2.0
"""Over what was measured: real texts are longer than made-up ones, and allocators differ."""
UNMEASURED_MB = 4000
"""What depends on images and answers that nothing made up stands for: import, grading, judging."""

BYTES = {
    "label": 5700,  # 300,000 rollouts in one shard: 1.76 GiB
    "import_rollouts": 18000,  # 50,000 questions with 300,000 rollouts in one shard: 1.02 GiB
    "examples": 400,  # 540,000 rollouts: 0.34 GiB, balanced 0.39
    "judges": 200,  # columns of rollouts and verdicts, source by source
    "tables": 100,  # 540,000 rollouts: 0.21 GiB
    "select": 6200,  # 109,440 candidates and two PRMs: 0.79 GiB
    "metrics": 1600,  # 547,200 candidates of five policies: 1.08 GiB
    "step_metrics": 700,  # the same: 0.47 GiB
    "costs": 700,  # fewer columns than step_metrics
    "cost_pages": 0,
    "figures": 0,  # 0.24 GiB
    "manifest": 0,  # 1,080 jobs: 0.24 GiB
    "verify": 0,
    "crate": 0,
}
"""Kept per unit of the job (``Work``): a rollout, a candidate; a question of a published source.
Beside each, what the paper's size took as a whole."""


class HostMemory:
    """The resource ``mem_mb`` of every job that runs no model."""

    def __init__(self, plan: Plan) -> None:
        self._work = Work(plan)

    @cached_property
    def _units(self) -> dict[tuple[str, ...], int]:
        return {_name(job): job.units for job in self._work.jobs()}

    def megabytes(self, rule: str, wildcards: Iterable[str] = ()) -> int:
        """MB of one job; a job that the default target does not need gets the base."""
        if rule not in BYTES:
            return UNMEASURED_MB
        units = self._units.get((rule, *wildcards), 0)
        return BASE_MB + -(-int(MARGIN * BYTES[rule] * units) // 1_000_000)


def _name(job: Job) -> tuple[str, ...]:
    return (job.rule, *job.keys, *([job.shard] if job.shard else []))
