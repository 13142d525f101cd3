"""The report of a rehearsal: what each rule took, and what the full run will therefore take.

Every figure is read off the stages' own records (timing, manifest) and the counts of the two
configurations; ``report_lines`` shows the sums that lead from one to the other.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from pydantic import ValidationError

from vlprm.config.plan import Plan
from vlprm.config.times import Rate
from vlprm.config.work import Job, Work
from vlprm.errors import UserError
from vlprm.io.atomic import write_text
from vlprm.provenance import Timing

_RATIO, _SHARE = "length_ratio", "share"
_HEAD = ("rule", "jobs", "start s", "work s", "host GB", "card GB", "full jobs", "full h", "GPU h")
_LEGEND = (
    "Start-up of a job (mean), work of the rehearsal in full batches, peak memory of one job's"
    " processes and of one card; then the full run."
)


@dataclass(frozen=True, slots=True)
class Row:
    """Jobs of one rule with the same models and data set: a line of ``rehearsal.csv``."""

    rule: str
    keys: str
    """Its wildcards without the shard, joined by ``/``."""
    gpus: int
    jobs: int
    start_s: float
    """Seconds of start-up and saving, mean of the jobs."""
    work_s: float
    """Seconds of work, in full batches, all jobs together."""
    units: int
    unit: str
    unit_s: float
    """Seconds per unit: work_s / (units x share of the work that is timed x length ratio)."""
    peak_host_gb: float | None
    peak_card_gb: float | None
    full_jobs: int
    full_units: int
    full_s: float
    """full_jobs x start_s + full_units x unit_s."""
    full_gpu_hours: float
    """full_s x gpus / 3600."""


@dataclass(frozen=True, slots=True)
class Report:
    """Rows of finished groups, and jobs of the rehearsal that left no record."""

    rows: list[Row]
    missing: list[Job]

    def gpu_hours(self) -> float:
        """Of the full run, all rules."""
        return math.fsum(row.full_gpu_hours for row in self.rows)


def measure(rehearsal: Plan, full: Plan, workdir: Path) -> Report:
    """Read what a rehearsal left in ``workdir`` and extrapolate it to the run ``full``.

    Raises UserError for an invalid timing record.
    """
    timed: dict[tuple[str, tuple[str, ...]], list[tuple[Job, Timing]]] = defaultdict(list)
    missing, ratio = [], _given_ratio(rehearsal)
    for job in Work(rehearsal).jobs():
        timing = _timing(workdir / f"{job.path}.timing.json")
        if timing is None or timing.work_seconds is None or timing.startup_seconds is None:
            missing.append(job)
            continue
        ratio = timing.notes.get(_RATIO, ratio)
        timed[job.group].append((job, timing))
    wanted: dict[tuple[str, tuple[str, ...]], list[Job]] = defaultdict(list)
    for job in Work(full).jobs():
        wanted[job.group].append(job)
    rows = [
        _row(done, wanted[group], ratio if group[0] == "train" else 1.0)
        for group, done in timed.items()
    ]
    return Report(rows, missing)


def _given_ratio(rehearsal: Plan) -> float:
    """For published conversations, which no stage of the rehearsal has chosen."""
    block = rehearsal.config.rehearsal
    return block.length_ratio if block is not None else 1.0


def _timing(path: Path) -> Timing | None:
    """The record beside an output whose manifest is there too; None if it is not finished."""
    manifest = path.with_name(path.name.replace(".timing.json", ".manifest.json"))
    if not (path.is_file() and manifest.is_file()):
        return None
    try:
        return Timing.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(
            f"not a timing record ({error.errors()[0]['msg']})",
            where=str(path),
            cure="remove the folder of the rehearsal and rehearse again",
        ) from error


def _row(done: Sequence[tuple[Job, Timing]], full: Sequence[Job], ratio: float) -> Row:
    jobs, timings = [job for job, _ in done], [timing for _, timing in done]
    units = sum(job.units for job in jobs)
    start = math.fsum(timing.startup_seconds or 0.0 for timing in timings) / len(timings)
    work = math.fsum(timing.work_seconds or 0.0 for timing in timings)
    timed_units = math.fsum(job.units * t.notes.get(_SHARE, 1.0) for job, t in done) * ratio
    rate = Rate(round(start, 3), work / timed_units if timed_units else 0.0)
    full_units = sum(job.units for job in full)
    seconds = rate.seconds(full_units, len(full))
    first = jobs[0]
    return Row(
        rule=first.rule,
        keys="/".join(first.keys),
        gpus=first.gpus,
        jobs=len(jobs),
        start_s=rate.start,
        work_s=round(work, 3),
        units=units,
        unit=first.unit,
        unit_s=rate.unit,
        peak_host_gb=_most(timing.peak_host_gb for timing in timings),
        peak_card_gb=_most(timing.peak_card_gb for timing in timings),
        full_jobs=len(full),
        full_units=full_units,
        full_s=seconds,
        full_gpu_hours=seconds * first.gpus / 3600,
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def by_rule(rows: Iterable[Row]) -> list[Row]:
    """One row per rule: sums, weighted means, peaks. The same arithmetic holds for them."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.rule].append(row)
    return [_joined(group) for group in groups.values()]


def _joined(rows: Sequence[Row]) -> Row:
    full_jobs, full_units = sum(row.full_jobs for row in rows), sum(row.full_units for row in rows)
    units = {row.unit for row in rows}
    start = math.fsum(row.start_s * row.full_jobs for row in rows) / full_jobs if full_jobs else 0.0
    unit = math.fsum(row.unit_s * row.full_units for row in rows) / full_units if full_units else 0
    return replace(
        rows[0],
        keys=f"{len(rows)} groups",
        gpus=max(row.gpus for row in rows),
        jobs=sum(row.jobs for row in rows),
        start_s=start,
        work_s=math.fsum(row.work_s for row in rows),
        units=sum(row.units for row in rows),
        unit=rows[0].unit if len(units) == 1 else "rollout",
        unit_s=unit,
        peak_host_gb=_most(row.peak_host_gb for row in rows),
        peak_card_gb=_most(row.peak_card_gb for row in rows),
        full_jobs=full_jobs,
        full_units=full_units,
        full_s=math.fsum(row.full_s for row in rows),
        full_gpu_hours=math.fsum(row.full_gpu_hours for row in rows),
    )


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The rules as an aligned Markdown table."""
    cells = [list(_HEAD)]
    for row in rows:
        card = "-" if row.peak_card_gb is None else f"{row.peak_card_gb:.1f}"
        host = "-" if row.peak_host_gb is None else f"{row.peak_host_gb:.2f}"
        start, work = f"{row.start_s:.1f}", f"{row.work_s:.1f}"
        full = [f"{row.full_jobs:,}", f"{row.full_s / 3600:,.2f}", f"{row.full_gpu_hours:,.2f}"]
        cells.append([row.rule, str(row.jobs), start, work, host, card, *full])
    widths = [max(len(line[at]) for line in cells) for at in range(len(_HEAD))]
    lines = [_line(line, widths) for line in cells]
    rule = "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])])
    return [lines[0], f"|{rule}|", *lines[1:]]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return f"| {' | '.join(padded)} |"


def arithmetic(row: Row) -> str:
    """How a rule's time in the full run is computed, in numbers."""
    line = (
        f"{row.rule}: {row.start_s:.1f} s start x {row.full_jobs:,} jobs"
        f" + {row.unit_s:.4g} s per {row.unit} x {row.full_units:,} = {_span(row.full_s)}"
    )
    if row.full_gpu_hours:
        cards = row.full_gpu_hours / (row.full_s / 3600)
        line += f" x {cards:.3g} card{'s' * (cards > 1)} = {row.full_gpu_hours:,.2f} GPU h"
    return line


def _span(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 3600 else f"{seconds / 3600:,.2f} h"


def report_lines(report: Report, run: str) -> list[str]:
    """The page: table, arithmetic, totals, and what is missing."""
    rules = by_rule(report.rows)
    hours = math.fsum(row.full_s for row in report.rows) / 3600
    lines = [
        f"Rehearsal of {run}: {sum(row.jobs for row in rules)} jobs measured",
        "",
        *table_lines(rules),
        "",
        _LEGEND,
        "",
        *(f"- {arithmetic(row)}" for row in rules),
        "",
    ]
    lines.append(
        f"The full run: {sum(row.full_jobs for row in rules):,} jobs, {hours:,.2f} h one after"
        f" another, {report.gpu_hours():,.2f} GPU hours."
    )
    if report.missing:
        names = sorted({job.rule for job in report.missing})
        lines.append(f"Not in it: {len(report.missing)} jobs that did not end: {', '.join(names)}.")
    return lines


def write(report: Report, run: str, folder: Path) -> None:
    """``rehearsal.csv`` (one line per group, read by ``config.times``) and ``rehearsal.md``."""
    page = io.StringIO()
    writer = csv.DictWriter(page, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in report.rows)
    write_text(folder / "rehearsal.csv", page.getvalue())
    lines = report_lines(report, run)
    lines += [
        "",
        "## Group by group",
        "",
        *(f"- {row.keys}: {arithmetic(row)}" for row in report.rows),
    ]
    write_text(folder / "rehearsal.md", "\n".join(lines) + "\n")
