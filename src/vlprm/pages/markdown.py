"""Tables for reading on a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from vlprm.pages.strategies import (
    Cell,
    Grid,
    cut_share,
    grids,
    interval,
    strategy_frame,
)
from vlprm.pages.style import NO_SEARCHES, Searches, key_of, name_of
from vlprm.records import BY_VERDICTS, BY_VERDICTS_WITHIN, CHOSEN, OVER_MAJORITY, Metric

TWO = 2
TWO_VOTES = (
    "Majority vote of two candidates outvotes nothing: two votes agree or tie, and a tie goes to"
    " the first. But for candidates without an answer it is pass@1; no difference to it is given."
)
STEP_COLUMNS = {
    "step_f1": "step F1",
    "step_f1_right": "F1 of right steps",
    "step_f1_wrong": "F1 of wrong steps",
    "first_error_f1": "first-error F1",
    "first_error_found": "first error found",
    "no_false_alarm": "no false alarm",
}
IN_SECTION = (
    "Only steps of this section whose truth is known: after an error of perception nothing is known"
    " of the reasoning, and an error of reasoning leaves all perception steps right."
)
THRESHOLDS = {"half": "0.5", "tuned": "cross-fitted"}


def strategies_page(
    metrics: Sequence[Metric], facts: Mapping[str, str], searches: Searches = NO_SEARCHES
) -> str:
    """All grids with their facts: what n, interval and ungraded share mean here."""
    frame = strategy_frame(metrics, searches=searches)
    lines = ["# Test-time scaling: accuracy of every strategy", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in {**facts, **ungraded_fact(frame)}.items()]
    lines += [
        "",
        (
            "Cells: accuracy in % with its interval; below, the difference to pass@1 of the same"
            " policy in points with its paired interval, over the questions that both have a value"
            " for, in bold when the interval does not hold zero. Strategies in italics ask no PRM"
            " and repeat in each PRM's column. Cut: share of the answers behind a row that did not"
            " come to their end (least and largest of its cells)."
        ),
    ]
    to_majority = grids(strategy_frame(metrics, OVER_MAJORITY, searches), searches)
    versus = {(g.benchmark, g.n): g for g in to_majority}
    benchmark = None
    for grid in grids(frame, searches):
        if grid.benchmark != benchmark:
            benchmark = grid.benchmark
            lines += ["", f"## {benchmark}"]
        lines += ["", f"### N = {grid.n}", "", *_grid_lines(grid)]
        other = versus.get((grid.benchmark, grid.n))
        lines += _chosen_lines(frame, grid, searches)
        if grid.n == TWO:
            lines += ["", TWO_VOTES]
        if other is not None:
            lines += ["", f"Difference to majority vote over the same {grid.n} candidates, points:"]
            lines += ["", *_grid_lines(other, only_value=True)]
    return "\n".join(lines) + "\n"


def _chosen_lines(frame: pl.DataFrame, grid: Grid, searches: Searches) -> list[str]:
    """The best row of each policy, chosen on one half of the questions, reported on the other."""
    here = frame.filter(
        (pl.col("strategy") == CHOSEN)
        & (pl.col("benchmark") == grid.benchmark)
        & (pl.col("n") == grid.n)
    )
    if here.is_empty():
        return []
    lines = ["", "PRM and strategy chosen on one half of the questions, reported on the other:", ""]
    lines += ["| policy | chosen | questions | accuracy | to pass@1 | to majority vote |"]
    lines += ["|:--|:--|--:|--:|--:|--:|"]
    for row in here.iter_rows(named=True):
        name = f"{row['prm']}, {name_of(*key_of(row['aggregation']), searches)}"
        texts = [
            interval((row[key], row[f"{end}low"], row[f"{end}high"]), signed=signed)
            for key, end, signed in (
                ("accuracy", "", False),
                ("delta", "delta_", True),
                ("over_majority", "over_majority_", True),
            )
        ]
        cells = [row["policy"], name, str(row["n_samples"]), *texts]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def ungraded_fact(frame: pl.DataFrame) -> dict[str, str]:
    """The largest share of questions left out of any row for want of an answer with a grade."""
    if frame.is_empty():
        return {}
    share = (frame["n_ungraded"] / frame["n_samples"]).max()
    text = f"at most {100 * float(str(share)):.1f} % of the questions of a row, counted apart"
    return {"ungraded": text if share else "none"}


def _grid_lines(grid: Grid, *, only_value: bool = False) -> list[str]:
    heads = [f"{policy} · {prm}" if prm else policy for policy, prm in grid.columns]
    heads += [] if only_value else ["cut, %"]
    lines = ["| strategy | " + " | ".join(heads) + " |", "|:--|" + "--:|" * len(heads)]
    for (name, cells), shared in zip(grid.rows, grid.shared, strict=True):
        shown = f"*{name}*" if shared else name
        texts = [_cell(cell, only_value=only_value) for cell in cells]
        texts += [] if only_value else [cut_share(cells)]
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
    """PRM against verdicts: step F1, first-error F1, their parts, calibration; then by section."""
    lines = ["# PRM against verdicts of the candidates", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    lines += ["", *_step_table([m for m in metrics if m.strategy == BY_VERDICTS])]
    for section, strategy in BY_VERDICTS_WITHIN.items():
        own = [metric for metric in metrics if metric.strategy == strategy]
        if own:
            lines += ["", f"## Steps of {section.value}", "", IN_SECTION, "", *_step_table(own)]
    return "\n".join(lines) + "\n"


def _step_table(metrics: Sequence[Metric]) -> list[str]:
    heads = ["benchmark", "policy", "PRM", "threshold", *STEP_COLUMNS.values(), "AUROC", "ECE"]
    heads += ["solutions", "without verdict"]
    lines = ["| " + " | ".join(heads) + " |", "|:--|:--|:--|:--|" + "--:|" * (len(heads) - 4)]
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
            one = beside.get(name)
            texts.append(interval((one.value, one.low, one.high)) if one else "–")
        cells = [key[0], key[1], key[2] or "", THRESHOLDS.get(key[3], key[3]), *texts]
        cells += [str(some.n_samples), str(some.n_ungraded)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def label_page(statistics: pl.DataFrame, facts: Mapping[str, str]) -> str:
    """Label statistics per source and in all (columns of ``metrics.LabelStatistics``)."""
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
