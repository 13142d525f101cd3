"""What a run still has to ask of models: the stages' plans without their runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vlprm.cli.app import for_people
from vlprm.cli.preflight import ConfigFile, Profile, TargetDir, chosen_file, plan_and_data

if TYPE_CHECKING:
    from vlprm.config.plan import Plan
    from vlprm.config.work import Job

ASKING = {
    "rollout": "completions",
    "estimate": "continuations",
    "judge": "calls",
    "score": "candidates",
    "rank": "candidates",
    "search": "questions",
}
"""Rules that ask a model, and what they ask for."""


@dataclass(slots=True)
class Row:
    """One rule's jobs."""

    jobs: int = 0
    done: int = 0
    open: int = 0
    """Requests of the jobs that are planned from records."""
    configured: int = 0
    """Units of the jobs that are not: what the configuration counts (rollouts, candidates)."""
    expected: float = 0.0
    """Continuations that these rollouts will probably take (``config.expected``)."""
    answered: int = 0
    """Calls in the ledgers of those jobs: they are not made again."""
    seconds: float = 0.0
    gpu_hours: float = 0.0


@for_people("plan")
def plan_command(
    configfile: ConfigFile = None, profile: Profile = None, target_dir: TargetDir = Path()
) -> None:
    """What is still to be asked of models, rule by rule; nothing is asked.

    A job whose inputs are there is planned from them; of the others the configuration's counts are
    taken, and what is assumed of continuations (marked ~). Times are those of `vlprm doctor`.
    """
    from vlprm.config.times import Times
    from vlprm.ledger.file import is_complete

    plan = plan_and_data(chosen_file(configfile, profile), target_dir)[0]
    times = Times.of(plan, target_dir)
    rows: dict[str, Row] = defaultdict(Row)
    for job in times.jobs:
        if job.rule not in ASKING:
            continue
        row = rows[job.rule]
        row.jobs += 1
        output = target_dir / job.path
        if is_complete(output):
            row.done += 1
            continue
        _add(row, plan, job, target_dir)
        seconds = times.seconds(job)
        row.seconds += seconds
        row.gpu_hours += seconds * job.gpus / 3600
    for line in _lines(rows):
        typer.echo(line)


def _add(row: Row, plan: Plan, job: Job, root: Path) -> None:
    from vlprm.config.expected import continuations
    from vlprm.ledger.file import answered, ledger_of

    known = answered(ledger_of(root / job.path))
    requests = planned(plan, job, root, known)
    if requests is None:
        row.configured += job.units
        if job.rule == "estimate":
            row.expected += job.units * continuations(plan.config, job.keys[1])
    else:
        row.open += requests
    row.answered += len(known)


def planned(plan: Plan, job: Job, root: Path, known: frozenset[bytes]) -> int | None:
    """Requests of a job, from its inputs; None where they are not there or say too little."""
    if job.rule == "search":
        return None  # how many rounds a search takes is known once it has run
    config, (policy, dataset) = plan.config, job.keys[-2:]
    samples = root / plan.table("samples", dataset, job.shard)
    rollouts = root / plan.table("rollouts", policy, dataset, job.shard)
    if not samples.exists() or (job.rule != "rollout" and not rollouts.exists()):
        return None
    if job.rule == "rollout":
        from vlprm.config.slices import rollout as slices
        from vlprm.io import parquet
        from vlprm.records import Sample
        from vlprm.stages import rollout

        questions = parquet.read(samples, Sample)
        asked = rollout.plan(slices.of(config, policy, dataset), questions)
        return sum(len(item.seeds) for item in asked)
    from vlprm.io.solved import solved

    own = solved(samples, rollouts)
    if job.rule == "estimate":
        from vlprm.config.slices import estimate as of_estimate
        from vlprm.stages import estimate

        chosen = of_estimate.of(config, policy)
        return None if chosen.rule else sum(estimate.continuations(chosen, own.solutions))
    if job.rule == "judge":
        from vlprm.config.slices import judge as of_judge
        from vlprm.engines.recorded import judge_key
        from vlprm.stages import judge

        said = of_judge.of(config)
        keys = {judge_key(said.judge, r) for r in judge.plan(said, own.questions, own.solutions)}
        return len(keys - known)
    return len(own.solutions)


def _lines(rows: dict[str, Row]) -> Iterator[str]:
    yield f"{'rule':<9} {'jobs':>6} {'done':>6}  {'to ask':>26} {'answered':>9} {'time':>12}"
    for rule, row in rows.items():
        number = _number(rule, row)
        took = f"{row.gpu_hours:.1f} GPU h" if row.gpu_hours else f"{row.seconds / 60:.0f} min"
        yield (f"{rule:<9} {row.jobs:>6} {row.done:>6}  {number:>26} {row.answered:>9,} {took:>12}")


def _number(rule: str, row: Row) -> str:
    """What is to be asked. Nobody knows how many steps a rollout has before it is drawn, nor when
    its label is decided: its continuations are then those that are expected."""
    counted = round(row.expected) if rule == "estimate" else row.configured
    return f"{'~' if row.configured else ''}{row.open + counted:,} {ASKING[rule]}"
