"""Run times that follow from counts: units of a job x seconds per unit, stated or rehearsed.

Nothing here is part of a rule's params: another speed changes what is asked of the scheduler, and
no job runs again for it.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlprm.config.plan import Plan
from vlprm.config.rehearsal import SUFFIX
from vlprm.config.speeds import start_seconds, unit_seconds
from vlprm.config.work import NO_SHARD, Job, Work
from vlprm.errors import UserError

SAFETY = 2.0
"""Walltime asked for, over the time estimated."""
FLOOR_CARDS, FLOOR = 60, 30
"""Minutes that a job asks for at least: with cards, without."""
BOUND_HOURS = 4.0
"""Shards are sized so that no job is longer, at the stated speeds."""
LONGEST_HOURS = 24.0
"""A job that is estimated longer is told before the first job."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds of a job: once, and for each unit."""

    start: float
    unit: float

    def seconds(self, units: int, jobs: int = 1) -> float:
        """So many units, spread over so many jobs."""
        return jobs * self.start + units * self.unit


Rates = Mapping[tuple[str, tuple[str, ...]], Rate]
"""By ``Job.group``."""


@dataclass(frozen=True, slots=True)
class RuleTime:
    """All jobs of one rule."""

    jobs: int
    units: int
    unit: str
    seconds: float
    gpu_hours: float
    longest: float
    """Seconds of the longest job."""


def rehearsed(plan: Plan, workdir: Path) -> Path:
    """Where the report of a run's rehearsal lies."""
    return workdir / "results" / f"{plan.config.run}{SUFFIX}" / "rehearsal.csv"


def read_rates(file: Path) -> dict[tuple[str, tuple[str, ...]], Rate]:
    """The measured rates of a rehearsal's report; none where there is no such file.

    Raises UserError for a file that is no report.
    """
    if not file.is_file():
        return {}
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return {
                (row["rule"], tuple(row["keys"].split("/")) if row["keys"] else ()): Rate(
                    float(row["start_s"]), float(row["unit_s"])
                )
                for row in csv.DictReader(lines)
                if row["unit_s"]
            }
    except (KeyError, ValueError, OSError) as error:
        raise UserError(
            f"not a rehearsal's report ({type(error).__name__}: {error})",
            where=str(file),
            cure="remove it, or run `vlprm rehearse` again",
        ) from error


class Times:
    """Estimated times of all jobs of a run."""

    def __init__(self, plan: Plan, rates: Rates | None = None) -> None:
        self.config = plan.config
        self.rates = dict(rates or {})
        self._work = Work(plan)

    @classmethod
    def of(cls, plan: Plan, workdir: Path) -> Times:
        """With what the run's rehearsal measured, if it was rehearsed in ``workdir``."""
        return cls(plan, read_rates(rehearsed(plan, workdir)))

    @cached_property
    def jobs(self) -> list[Job]:
        """Every job of the run."""
        return list(self._work.jobs())

    @cached_property
    def _by_name(self) -> dict[tuple[str, tuple[str, ...]], Job]:
        return {
            (job.rule, (*job.keys, *([job.shard] if job.shard else []))): job for job in self.jobs
        }

    def rate(self, job: Job) -> Rate:
        """Rehearsed, or as stated."""
        found = self.rates.get(job.group)
        return found or Rate(start_seconds(job, self.config), unit_seconds(job, self.config))

    def seconds(self, job: Job) -> float:
        """Estimated seconds of one job, start-up included."""
        return self.rate(job).seconds(job.units)

    def minutes(self, rule: str, wildcards: Iterable[str] = ()) -> int:
        """The resource ``runtime``: estimate x SAFETY in minutes, not less than the floor.

        A job that the default target does not need (another run's file, asked for by name) gets
        the floor.
        """
        job = self._by_name.get((rule, tuple(wildcards)))
        if job is None:
            return FLOOR_CARDS if rule in _ON_CARDS else FLOOR
        floor = FLOOR_CARDS if job.gpus else FLOOR
        return max(floor, math.ceil(SAFETY * self.seconds(job) / 60))

    def rules(self) -> dict[str, RuleTime]:
        """Totals rule by rule, in the order of the run."""
        found: dict[str, list[Job]] = defaultdict(list)
        for job in self.jobs:
            found[job.rule].append(job)
        return {rule: self._total(jobs) for rule, jobs in found.items()}

    def _total(self, jobs: list[Job]) -> RuleTime:
        seconds = [self.seconds(job) for job in jobs]
        hours = math.fsum(s * job.gpus for s, job in zip(seconds, jobs, strict=True)) / 3600
        units = {job.unit for job in jobs}
        return RuleTime(
            jobs=len(jobs),
            units=sum(job.units for job in jobs),
            unit=jobs[0].unit if len(units) == 1 else "rollout",
            seconds=math.fsum(seconds),
            gpu_hours=hours,
            longest=max(seconds),
        )

    def shard_size(self, job: Job, hours: float = BOUND_HOURS) -> int | None:
        """The largest ``shard_size`` whose job stays within ``hours``; None: it has no shards.

        Rounded down to two digits, at least one question.
        """
        if job.shard == NO_SHARD:
            return None
        data = self._work.plan.data[job.keys[-1]]
        rate = self.rate(job)
        a_question = rate.unit * job.units / min(data.n, data.shard_size)
        fits = int(max(1.0, (hours * 3600 - rate.start) / a_question)) if a_question else data.n
        step: int = 10 ** max(0, len(str(fits)) - 2)
        return min(data.n, fits // step * step)


_ON_CARDS = {"rollout", "estimate", "score", "rank", "search", "train"}
