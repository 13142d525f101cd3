"""All checks in their order: ``examine`` for the doctor, ``before_first_job`` for the workflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlprm.config.memory import SHOWN, card_bytes
from vlprm.config.plan import Plan
from vlprm.config.reader import ConfigFile
from vlprm.errors import UserError
from vlprm.preflight import containers, gpu, inputs, memory, scheduler, software, storage
from vlprm.preflight.downloads import Download, downloads
from vlprm.preflight.finding import Finding, failures, report
from vlprm.preflight.machine import Machine
from vlprm.preflight.needs import Needs
from vlprm.preflight.times import check_times

SWITCH = "VLPRM_PREFLIGHT"
"""Environment variable: ``off`` turns off the checks before the first job."""
_SPARE_GB = 0.05  # logs, Snakemake's own records


def examine(plan: Plan, machine: Machine) -> list[Finding]:
    """Every check. It takes some seconds and no network."""
    return [
        *software.check_snakemake(machine),
        *software.check_executor(machine),
        *software.check_lock(machine),
        *_runnable(plan, machine),
        *inputs.check_files(plan, machine.workdir),
        *inputs.check_cache(downloads(plan, machine)),
        *check_times(plan, machine),
    ]


def without_plan(machine: Machine, file: ConfigFile | None = None) -> list[Finding]:
    """The checks that need no valid configuration; ``file`` where it could at least be read."""
    return [
        *software.check_snakemake(machine),
        *software.check_executor(machine),
        *software.check_lock(machine),
        *scheduler.check_scheduler(machine),
        *containers.check_apptainer(machine),
        *_rights(machine),
        *(inputs.check_named(file, machine.workdir) if file is not None else ()),
    ]


def before_first_job(plan: Plan, machine: Machine, targets: Sequence[str] = ()) -> None:
    """The cheap checks of what the run needs; data sets are checked only for the whole run.

    Raises UserError that lists the failures, one line each.
    """
    if list(targets) == ["fetch"]:
        found = [*_rights(machine), *_fetching(plan, machine)]
    else:
        found = list(_runnable(plan, machine))
        if not targets:
            found += inputs.check_files(plan, machine.workdir)
    failed = failures(found)
    if failed:
        lines = "\n".join(f"  {line}" for line in report(failed))
        raise UserError(
            f"preflight: {len(failed)} of {len(found)} checks failed, no job was started\n{lines}",
            cure=f"`vlprm doctor` shows every check; {SWITCH}=off leaves these out",
        )


def _runnable(plan: Plan, machine: Machine) -> Iterator[Finding]:
    needs = Needs(plan, machine.workdir)
    gpus = needs.gpus()
    yield from scheduler.check_scheduler(machine)
    yield from scheduler.check_cluster_gpus(machine, gpus)
    yield from gpu.check_gpu(machine, gpus)
    yield from _memory(plan, machine, needs)
    yield from containers.check_apptainer(machine)
    yield from containers.check_containers(machine, needs.roles())
    yield from _rights(machine)
    yield from _fetching(plan, machine, needs.results_gb())
    yield from inputs.check_keys(needs.keys())
    yield from inputs.check_budgets(needs.unpaid())


def _memory(plan: Plan, machine: Machine, needs: Needs) -> Iterator[Finding]:
    """Memory against the smallest card here, or the one that the configuration states."""
    here = gpu.memory_of_cards(machine)
    card = min(here) * SHOWN if here else card_bytes(plan.config.cards.memory_gb)
    yield from memory.check_memory(plan, machine.workdir, needs.gpu_jobs(), card, len(here) or None)


def _rights(machine: Machine) -> Iterator[Finding]:
    work = [machine.workdir / name for name in ("results", "logs", ".snakemake")]
    yield from storage.check_write_access(
        "write access", work, "choose another --directory, or make it writable"
    )


def _fetching(plan: Plan, machine: Machine, results_gb: float = 0.0) -> Iterator[Finding]:
    found: list[Download] = downloads(plan, machine)
    pending = [item for item in found if item.state != "there"]
    resources = machine.workdir / "resources"
    if any(item.kind != "container" for item in pending):
        yield from storage.check_write_access(
            "cache access",
            [resources / "models", resources / "data"],
            "link resources/ to a folder that can be written",
        )
    yield from inputs.check_hub_token(pending)
    hub_gb = sum(item.still_gb for item in pending)
    yield from storage.check_disk(
        [(machine.workdir / "results", results_gb + _SPARE_GB), (resources, hub_gb)]
    )
