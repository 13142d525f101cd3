"""Accuracy against cost: what a strategy gains for the tokens that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from vlprm.pages.figures import PANEL, arranged, legend, panels
from vlprm.pages.strategies import interval, strategy_frame
from vlprm.pages.style import (
    NO_SEARCHES,
    Key,
    Searches,
    colour_of,
    key_of,
    look,
    marker_of,
    name_of,
)
from vlprm.records import CHOSEN, POLICY_TOKENS, READ_TOKENS, Metric

ROW = ["benchmark", "policy", "prm", "strategy", "aggregation", "n"]


def with_costs(
    metrics: Sequence[Metric], costs: Sequence[Metric], searches: Searches = NO_SEARCHES
) -> pl.DataFrame:
    """The strategies' rows that have a cost, with columns ``policy_tokens`` and ``read_tokens``."""
    frame = strategy_frame(metrics, searches=searches).filter(pl.col("strategy") != CHOSEN)
    for name in (POLICY_TOKENS, READ_TOKENS):
        rows = strategy_frame(costs, name).select(*ROW, pl.col("accuracy").alias(name))
        frame = frame.join(rows, on=ROW, nulls_equal=True, maintain_order="left")
    return frame


def costs_page(frame: pl.DataFrame, facts: Mapping[str, str], searches: Searches) -> str:
    """A table per benchmark and policy (``frame``: :func:`with_costs`)."""
    lines = ["# Accuracy against cost", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    lines += [
        "",
        (
            "Tokens are means per question: drawn by the policy for all N candidates, and read by"
            " the PRM or the judge, images included. A token that is read takes a fraction of the"
            " time of one that is drawn. Seconds depend on the machine: `vlprm cost RUN`."
        ),
    ]
    for (benchmark, policy), part in frame.group_by("benchmark", "policy", maintain_order=True):
        lines += ["", f"## {benchmark}, {policy}", ""]
        lines += ["| strategy | PRM | N | accuracy | tokens drawn | tokens read |"]
        lines += ["|:--|:--|--:|--:|--:|--:|"]
        for row in part.iter_rows(named=True):
            cells = [
                name_of(row["strategy"], row["aggregation"], searches),
                row["prm"] or "",
                str(row["n"]),
                interval((row["accuracy"], row["low"], row["high"])),
                *(f"{row[name]:,.0f}" for name in (POLICY_TOKENS, READ_TOKENS)),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cost_figure(
    frame: pl.DataFrame, curves: Sequence[str], note: str | None, searches: Searches = NO_SEARCHES
) -> Figure:
    """Accuracy against tokens drawn and read, panels as in the figure against N."""
    keys = [key for key in map(key_of, curves) if key[0] not in {"pass@1", "oracle"}]
    present = set(zip(frame["strategy"], frame["aggregation"], strict=True))
    rows, columns = arranged(frame)
    with look():
        size = (max(PANEL[0] * len(columns) + 0.5, 6.6), PANEL[1] * len(rows) + 1.5)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))
        grid = figure.subplots(len(rows), len(columns), sharex="row", sharey="row", squeeze=False)
        for axes, part in panels(frame, rows, columns, grid, "accuracy, %"):
            _panel(axes, part, keys, searches)
            axes.set_xlabel("tokens per question, drawn and read")
        shown = {key for key in present if key != ("oracle", None)}
        legend(figure, [key for key in keys if key in present], shown, note, searches)
    return figure


def _panel(axes: Axes, part: pl.DataFrame, keys: Sequence[Key], searches: Searches) -> None:
    axes.set_xscale("log")
    base = part.filter((pl.col("strategy") == "pass@1") & pl.col("accuracy").is_not_null())
    for row in base.iter_rows(named=True):
        axes.axhline(100 * row["accuracy"], color="#6b7785", linewidth=1.1, linestyle=(0, (5, 3)))
    for strategy, way in keys:
        same = pl.col("aggregation").is_null() if way is None else pl.col("aggregation") == way
        line = part.filter(
            (pl.col("strategy") == strategy) & same & pl.col("accuracy").is_not_null()
        ).sort("n")
        axes.plot(
            (line[POLICY_TOKENS] + line[READ_TOKENS]).to_list(),
            (100 * line["accuracy"]).to_list(),
            color=colour_of((strategy, way), keys, searches),
            marker=marker_of(strategy, searches),
            linewidth=1.5,
            linestyle="none" if strategy in searches else "-",
            markersize=9 if strategy in searches else 4.2,
            markeredgecolor="white",
            markeredgewidth=0.6,
        )
    axes.tick_params(length=3)
