"""What the strategies of a run cost: tokens, and the seconds of the machine it ran on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from vlprm.cli.app import for_people


@for_people()
def cost(results: Path) -> None:
    """Accuracy, tokens and measured seconds per question of every strategy of a results folder."""
    from vlprm.errors import UserError

    if not sorted(results.glob("metrics/*/costs.parquet")):
        raise UserError(
            "no costs (metrics/*/costs.parquet)",
            where=str(results),
            cure="give the results folder of a finished run: results/mini",
        )
    for line in _report(results):
        typer.echo(line)


def _report(results: Path) -> list[str]:
    from vlprm.io import parquet
    from vlprm.pages.costs import with_costs
    from vlprm.pages.strategies import percent
    from vlprm.records import POLICY_TOKENS, READ_TOKENS, Metric

    lines = ["benchmark,policy,prm,strategy,n,accuracy_%,tokens_drawn,tokens_read,seconds"]
    machines: set[str] = set()
    for path in sorted(results.glob("metrics/*/costs.parquet")):
        costs = parquet.read(path, Metric)
        accuracies = parquet.read(path.with_name("accuracy.parquet"), Metric)
        questions = {(item.benchmark, item.policy): item.n_samples for item in costs}
        for row in with_costs(accuracies, costs).iter_rows(named=True):
            n = questions[row["benchmark"], row["policy"]]
            seconds = _seconds(results, row, n, machines)
            name = "/".join(filter(None, (row["strategy"], row["aggregation"])))
            cells = [row["benchmark"], row["policy"], row["prm"] or "", name, str(row["n"])]
            cells += [percent(row["accuracy"])]
            cells += [f"{row[key]:.0f}" for key in (POLICY_TOKENS, READ_TOKENS)]
            lines.append(",".join([*cells, "" if seconds is None else f"{seconds:.3g}"]))
    lines += [f"# on {machine}" for machine in sorted(machines)]
    lines.append(
        "# seconds: work of the jobs, start-up left out, shared out by tokens; of a job that was"
        " stopped and went on, the last part"
    )
    return lines


def _seconds(
    results: Path, row: dict[str, Any], questions: int, machines: set[str]
) -> float | None:
    """Seconds per question of a row; None where a job has no timing record."""
    from vlprm.io import parquet
    from vlprm.metrics.costs import DRAWN, READ, read_tokens
    from vlprm.records import POLICY_TOKENS, READ_TOKENS, Rollout, StepScore

    own = Path(row["policy"], row["benchmark"])
    searched = results / "searches" / row["strategy"] / str(row["prm"]) / own
    if searched.is_dir():
        taken = _work(sorted(searched.glob("*.rollouts.parquet")), machines)
        return None if taken is None else taken / questions
    drawn = sorted((results / "rollouts" / own).glob("*.parquet"))
    drawing, reading = _work(drawn, machines), 0.0
    tokens = int(parquet.frame(drawn, Rollout, list(DRAWN))["completion_tokens"].sum())
    if row[READ_TOKENS]:
        folder = results / "scores" / row["prm"] if row["prm"] else results / "ranks"
        scored = sorted((folder / own).glob("*.parquet"))
        taken = _work(scored, machines)
        if taken is None:
            return None
        read = read_tokens(parquet.frame(scored, StepScore, list(READ)))
        reading = taken / sum(read.values()) * row[READ_TOKENS]
    return None if drawing is None else drawing / tokens * row[POLICY_TOKENS] + reading


def _work(outputs: Sequence[Path], machines: set[str]) -> float | None:
    """Seconds of work of the jobs that wrote these files; notes the machines they ran on."""
    from vlprm.provenance import Timing

    total = 0.0
    for output in outputs:
        record = output.with_name(f"{output.name}.timing.json")
        if not record.is_file():
            return None
        timing = Timing.model_validate_json(record.read_text(encoding="utf-8"))
        if timing.work_seconds is None:
            return None
        total += timing.work_seconds
        machines.add(f"{timing.platform.processor} ({timing.platform.name})")
    return total
