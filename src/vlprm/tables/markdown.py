"""Tables for reading on a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from vlprm.records import Metric
from vlprm.tables.strategies import (
    OVER_MAJORITY,
    Cell,
    Grid,
    grids,
    interval,
    percent,
    strategy_frame,
)

STEP_COLUMNS = {
    "step_f1": "step F1",
    "step_f1_right": "F1 of right steps",
    "step_f1_wrong": "F1 of wrong steps",
    "first_error_f1": "first-error F1",
    "first_error_found": "first error found",
    "no_false_alarm": "no false alarm",
}
THRESHOLDS = {"half": "0.5", "tuned": "cross-fitted"}


def strategies_page(metrics: Sequence[Metric], facts: Mapping[str, str]) -> str:
    """All grids with their facts: what n, interval and ungraded share mean here."""
    frame = strategy_frame(metrics)
    lines = ["# Test-time scaling: accuracy of every strategy", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in {**facts, **ungraded_fact(frame)}.items()]
    lines += [
        "",
        (
            "Cells: accuracy in % with its interval; below, the difference to pass@1 of the same"
            " policy in points with its paired interval, in bold when the interval does not hold"
            " zero. Strategies in italics ask no PRM and repeat in each PRM's column."
        ),
    ]
    versus = {(g.benchmark, g.n): g for g in grids(strategy_frame(metrics, OVER_MAJORITY))}
    benchmark = None
    for grid in grids(frame):
        if grid.benchmark != benchmark:
            benchmark = grid.benchmark
            lines += ["", f"## {benchmark}"]
        lines += ["", f"### N = {grid.n}", "", *_grid_lines(grid)]
        other = versus.get((grid.benchmark, grid.n))
        if other is not None:
            lines += ["", f"Difference to majority vote over the same {grid.n} candidates, points:"]
            lines += ["", *_grid_lines(other, only_value=True)]
    return "\n".join(lines) + "\n"


def ungraded_fact(frame: pl.DataFrame) -> dict[str, str]:
    """The largest share of questions left out of any row for want of a grade."""
    if frame.is_empty():
        return {}
    share = (frame["n_ungraded"] / frame["n_samples"]).max()
    text = f"at most {100 * float(str(share)):.1f} % of the questions of a row, counted apart"
    return {"ungraded": text if share else "none"}


def _grid_lines(grid: Grid, *, only_value: bool = False) -> list[str]:
    heads = [f"{policy} · {prm}" if prm else policy for policy, prm in grid.columns]
    lines = ["| strategy | " + " | ".join(heads) + " |", "|:--|" + "--:|" * len(heads)]
    for (name, cells), shared in zip(grid.rows, grid.shared, strict=True):
        shown = f"*{name}*" if shared else name
        texts = [_cell(cell, only_value=only_value) for cell in cells]
        lines.append(f"| {shown} | " + " | ".join(texts) + " |")
    return lines


def _cell(cell: Cell | None, *, only_value: bool) -> str:
    if cell is None:
        return ""
    if only_value:
        _, low, high = cell.value
        text = interval(cell.value, signed=True)
        clear = low is not None and high is not None and (low > 0 or high < 0)
        return f"**{text}**" if clear else text
    if cell.delta[0] is None or cell.delta == (0.0, 0.0, 0.0):
        return interval(cell.value)
    delta = interval(cell.delta, signed=True)
    return f"{interval(cell.value)}<br>" + (f"**{delta}**" if cell.clear else delta)


def step_page(metrics: Sequence[Metric], facts: Mapping[str, str]) -> str:
    """PRM against verdicts: step F1, first-error F1 and their parts, calibration."""
    lines = ["# PRM against verdicts of the candidates", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    heads = ["benchmark", "policy", "PRM", "threshold", *STEP_COLUMNS.values(), "AUROC", "ECE"]
    heads += ["solutions", "without verdict"]
    lines += ["", "| " + " | ".join(heads) + " |", "|:--|:--|:--|:--|" + "--:|" * (len(heads) - 4)]
    rows: dict[tuple[str, str, str | None, str], dict[str, Metric]] = {}
    whole: dict[tuple[str, str, str | None], dict[str, Metric]] = {}
    for metric in metrics:
        place = (metric.benchmark, metric.policy, metric.prm)
        if metric.name in STEP_COLUMNS:
            rows.setdefault((*place, metric.aggregation or ""), {})[metric.name] = metric
        elif metric.name in {"auroc", "calibration_error"}:
            whole.setdefault(place, {})[metric.name] = metric
    for key, found in rows.items():
        some = next(iter(found.values()))
        texts = [interval((m.value, m.low, m.high)) for m in (found[name] for name in STEP_COLUMNS)]
        beside = whole.get(key[:3], {})
        for name in ("auroc", "calibration_error"):
            texts.append(percent(beside[name].value) if name in beside else "–")
        cells = [key[0], key[1], key[2] or "", THRESHOLDS.get(key[3], key[3]), *texts]
        cells += [str(some.n_samples), str(some.n_ungraded)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def label_page(statistics: pl.DataFrame, facts: Mapping[str, str]) -> str:
    """Label statistics a source and in all (columns of ``metrics.LabelStatistics``)."""
    lines = ["# Step labels", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    heads = [
        "source",
        "rollouts",
        "labelled",
        "dropped",
        "all right",
        "first error in perception",
        "in reasoning",
        "in solution",
        "steps +",
        "steps −",
        "masked",
        "− share",
    ]
    lines += ["", "| " + " | ".join(heads) + " |", "|:--|" + "--:|" * (len(heads) - 1)]
    numbers = [name for name in statistics.columns if name != "source"]
    rows = statistics.to_dicts()
    if len(rows) > 1:
        rows.append({"source": "all"} | {name: statistics[name].sum() for name in numbers})
    for row in rows:
        known = row["steps_plus"] + row["steps_minus"]
        share = f"{100 * row['steps_minus'] / known:.1f} %" if known else "–"
        cells = [str(row["source"]), *(f"{row[name]:,}" for name in numbers), share]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
