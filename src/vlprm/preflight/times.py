"""Estimated times before the first job: GPU hours of every rule, and jobs that are too long."""

from __future__ import annotations

from collections.abc import Iterator

from vlprm.config.plan import Plan
from vlprm.config.times import LONGEST_HOURS, Times, rehearsed
from vlprm.config.work import Job
from vlprm.preflight.finding import Finding, named, ok, warning
from vlprm.preflight.machine import Machine

_NAME = "run time"


def check_times(plan: Plan, machine: Machine) -> Iterator[Finding]:
    """What the whole run takes, and which jobs take more than a day or than the profile allows."""
    times = Times.of(plan, machine.workdir)
    yield ok(_NAME, _total(times, rehearsed(plan, machine.workdir).is_file()))
    longest: dict[tuple[str, tuple[str, ...]], Job] = {}
    for job in times.jobs:
        if times.seconds(job) > 3600 * _limit(machine, job.rule):
            known = longest.setdefault(job.group, job)
            if times.seconds(job) > times.seconds(known):
                longest[job.group] = job
    sharded = [job for job in longest.values() if job.shard]
    if sharded:
        told = [f"{_long(times, job)} (limit {_limit(machine, job.rule):g} h)" for job in sharded]
        sizes = {job.keys[-1]: times.shard_size(job, _limit(machine, job.rule)) for job in sharded}
        fits = [f"{name}: shard_size {size}" for name, size in sizes.items()]
        yield warning(_NAME, f"long jobs: {named(told)}", f"these would fit: {named(fits)}")
    whole = [job for job in longest.values() if not job.shard]
    if whole:
        told = [f"{_long(times, job)} (limit {_limit(machine, job.rule):g} h)" for job in whole]
        yield warning(
            _NAME,
            f"long jobs that have no shards: {named(told)}",
            "ask for a queue that allows it, or spread it over more cards (profiles/README.md)",
        )


def _total(times: Times, measured: bool) -> str:
    rules = times.rules()
    hours = {rule: item.gpu_hours for rule, item in rules.items() if item.gpu_hours}
    source = "rehearsed" if measured else "stated speeds; `vlprm rehearse` measures them"
    if not hours:
        seconds = sum(item.seconds for item in rules.values())
        return f"about {seconds / 3600:.1f} h one job after another, no GPU ({source})"
    parts = ", ".join(f"{rule} {value:,.0f}" for rule, value in hours.items())
    return f"about {sum(hours.values()):,.0f} GPU hours: {parts} ({source})"


def _long(times: Times, job: Job) -> str:
    return f"{job.rule} {'/'.join(job.keys)} {times.seconds(job) / 3600:.1f} h"


def _limit(machine: Machine, rule: str) -> float:
    """Hours that a rule's job may take: the profile's ``runtime_max``, otherwise a day."""
    minutes = machine.runtime_max.get(rule, machine.runtime_max.get(""))
    return LONGEST_HOURS if minutes is None else minutes / 60
