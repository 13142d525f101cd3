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
    from vlprm.config.bill import JudgeBill
    from vlprm.config.plan import Plan
    from vlprm.config.work import Job

ASKING = {
    "rollout": "completions",
    "estimate": "continuations",
    "judge": "calls",
    "judge_panel": "calls",
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
    prompt: float = 0.0
    """Tokens of the requests to a judge that are planned from records."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one job still has to ask."""

    requests: int
    prompt: float = 0.0


Judge = str | None
"""Name of a judge of the panel; None: the one whose word the label rule takes."""


@for_people("plan")
def plan_command(
    configfile: ConfigFile = None, profile: Profile = None, target_dir: TargetDir = Path()
) -> None:
    """What is still to be asked of models, rule by rule, and what it costs; nothing is asked.

    A job whose inputs are there is planned from them; of the others the configuration's counts are
    taken, and what is assumed of continuations (marked ~). Times are those of `vlprm doctor`. Under
    the table each judge behind an address has its bill, with the arithmetic; then GPU hours and
    disk in all.
    """
    from vlprm.config.times import Times
    from vlprm.ledger.file import is_complete

    plan = plan_and_data(chosen_file(configfile, profile), target_dir)[0]
    times = Times.of(plan, target_dir)
    rows: dict[str, Row] = defaultdict(Row)
    judges: dict[Judge, Row] = defaultdict(Row)
    for job in times.jobs:
        if job.rule not in ASKING:
            continue
        own = [rows[job.rule]]
        if job.rule in ("judge", "judge_panel"):
            own.append(judges[_judge(job)])
        done = is_complete(target_dir / job.path)
        for row in own:
            row.jobs += 1
            row.done += done
        if not done:
            _add(own, plan, job, target_dir, times.seconds(job))
    for line in _lines(rows):
        typer.echo(line)
    for judge, row in judges.items():
        bill = bill_of(plan, judge, row, target_dir)
        if bill is not None:
            typer.echo("\n" + "\n".join(bill.lines()))
    if any(row.done < row.jobs for row in rows.values()):
        typer.echo("\n" + "\n".join(_in_all(rows, plan, target_dir)))


def _add(rows: list[Row], plan: Plan, job: Job, root: Path, seconds: float) -> None:
    from vlprm.config.expected import continuations
    from vlprm.ledger.file import answered, ledger_of

    known = answered(ledger_of(root / job.path))
    asked = planned(plan, job, root, known)
    for row in rows:
        if asked is None:
            row.configured += job.units
            if job.rule == "estimate":
                row.expected += job.units * continuations(plan.config, job.keys[1])
        else:
            row.open += asked.requests
            row.prompt += asked.prompt
        row.answered += len(known)
        row.seconds += seconds
        row.gpu_hours += seconds * job.gpus / 3600


def _judge(job: Job) -> Judge:
    return job.keys[0] if job.rule == "judge_panel" else None


def bill_of(plan: Plan, judge: Judge, row: Row, root: Path) -> JudgeBill | None:
    """The bill of a judge's open calls; None where there are none, or nobody is paid."""
    from vlprm.config.bill import JudgeBill, Known
    from vlprm.config.slices import judge as slices
    from vlprm.ledger.account import read_bill

    chosen = slices.chosen(plan.config, judge)
    if chosen.engine != "api" or row.done == row.jobs:
        return None
    access = slices.access(plan.config, plan.root, judge)
    spent = read_bill(root / access.account, access.bill) if access.account else None
    known = Known(
        planned=row.open,
        prompt=row.prompt,
        configured=row.configured,
        answered=spent.calls if spent and spent.prompt else 0,
        answered_prompt=spent.prompt if spent else 0,
        answered_reply=spent.reply if spent else 0,
        spent=spent.spent if spent else 0.0,
    )
    return JudgeBill(judge or chosen.name, chosen, access, known)


def _in_all(rows: dict[str, Row], plan: Plan, root: Path) -> Iterator[str]:
    from vlprm.preflight.needs import Needs

    cards = {rule: row.gpu_hours for rule, row in rows.items() if row.gpu_hours}
    if cards:
        sums = " + ".join(f"{rule} {hours:,.1f}" for rule, hours in cards.items())
        yield f"GPU hours: {sums} = {sum(cards.values()):,.1f} (training is in `vlprm doctor`)"
    yield f"disk: about {Needs(plan, root).results_gb():,.1f} GB of results still to be written"


def planned(plan: Plan, job: Job, root: Path, known: frozenset[bytes]) -> Asked | None:
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
        return Asked(sum(len(item.seeds) for item in asked))
    from vlprm.io.solved import solved

    own = solved(samples, rollouts)
    if job.rule == "estimate":
        from vlprm.config.slices import estimate as of_estimate
        from vlprm.stages import estimate

        chosen = of_estimate.of(config, policy)
        if chosen.rule:
            return None
        return Asked(sum(estimate.continuations(chosen, own.solutions)))
    if job.rule in ("judge", "judge_panel"):
        from vlprm.config.slices import judge as of_judge
        from vlprm.engines.chat.sizes import prompt_tokens
        from vlprm.engines.recorded import judge_key
        from vlprm.stages import judge

        said = of_judge.of(config, _judge(job))
        requests = {
            judge_key(said.judge, request): request
            for request in judge.plan(said, own.questions, own.solutions)
        }
        missing = [request for key, request in requests.items() if key not in known]
        return Asked(len(missing), sum(map(prompt_tokens, missing)))
    return Asked(len(own.solutions))


def _lines(rows: dict[str, Row]) -> Iterator[str]:
    yield f"{'rule':<11} {'jobs':>6} {'done':>6}  {'to ask':>26} {'answered':>9} {'time':>12}"
    for rule, row in rows.items():
        number = _number(rule, row)
        took = f"{row.gpu_hours:.1f} GPU h" if row.gpu_hours else f"{row.seconds / 60:.0f} min"
        yield (
            f"{rule:<11} {row.jobs:>6} {row.done:>6}  {number:>26} {row.answered:>9,} {took:>12}"
        )


def _number(rule: str, row: Row) -> str:
    """What is to be asked. Nobody knows how many steps a rollout has before it is drawn, nor when
    its label is decided: its continuations are then those that are expected."""
    counted = round(row.expected) if rule == "estimate" else row.configured
    return f"{'~' if row.configured else ''}{row.open + counted:,} {ASKING[rule]}"
