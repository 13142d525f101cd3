"""Accuracy against N: one panel per benchmark, policy and PRM, one line per strategy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from vlprm.pages.strategies import strategy_frame
from vlprm.pages.style import (
    INK,
    MUTED,
    NO_SEARCHES,
    Key,
    Searches,
    colour_of,
    key_of,
    look,
    marker_of,
    name_of,
)
from vlprm.records import Metric

WIDE = 4
"""Up to so many policy-PRM pairs stand side by side; more go below each other."""
PANEL = (3.1, 2.7)
SPREAD = 0.05
"""Lines of one panel are this much apart (log2 of N), so that their intervals do not overlap."""


def accuracy_figure(
    metrics: Sequence[Metric],
    curves: Sequence[str],
    note: str | None = None,
    searches: Searches = NO_SEARCHES,
) -> Figure:
    """Small multiples of accuracy with intervals against N; pass@1 and oracle as reference.

    ``curves`` (``majority``, ``step_aggregation/min``, ...) are drawn where they exist; a
    strategy known at a single N, such as a search, is one marker. All panels of a row share
    the vertical axis. ``note`` stands above the legend (what the bars are). At N = 1 every
    strategy is pass@1, so bars begin at the next N.
    """
    frame = strategy_frame(metrics, searches=searches)
    keys = [key for key in map(key_of, curves) if key[0] not in {"pass@1", "oracle"}]
    rows, columns = arranged(frame)
    with look():
        size = (max(PANEL[0] * len(columns) + 0.5, 6.6), PANEL[1] * len(rows) + 1.5)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))
        grid = figure.subplots(len(rows), len(columns), sharex=True, sharey="row", squeeze=False)
        for axes, part in panels(frame, rows, columns, grid, "accuracy"):
            _panel(axes, part, keys, searches)
        for axes in grid[-1]:
            axes.set_xlabel("N, candidates seen")
        present = set(zip(frame["strategy"], frame["aggregation"], strict=True))
        legend(figure, [key for key in keys if key in present], present, note, searches)
    return figure


Panels = list[tuple[str | None, str | None]]


def panels(
    frame: pl.DataFrame, rows: Panels, columns: Panels, grid: Any, what: str
) -> Iterator[tuple[Axes, pl.DataFrame]]:
    """Every panel of a grid of axes with its rows of the table; titled, and ``what`` beside it."""
    for (benchmark, row_policy), line in zip(rows, grid, strict=True):
        for (column_policy, prm), axes in zip(columns, line, strict=True):
            policy = row_policy or column_policy
            part = frame.filter(
                (pl.col("benchmark") == benchmark)
                & (pl.col("policy") == policy)
                & (pl.col("prm").is_null() | (pl.col("prm") == (prm or "")))
            )
            axes.set_title(f"{policy} · {prm}" if prm else str(policy))
            yield axes, part
        line[0].set_ylabel(f"{benchmark}\n{what}")


def arranged(frame: pl.DataFrame) -> tuple[Panels, Panels]:
    """Rows (benchmark, policy) and columns (policy, PRM) of panels; None: the other has it."""
    benchmarks = frame["benchmark"].unique(maintain_order=True).to_list()
    policies = frame["policy"].unique(maintain_order=True).to_list()
    prms = [prm for prm in frame["prm"].unique(maintain_order=True) if prm is not None] or [None]
    if len(policies) * len(prms) <= WIDE:
        return [(b, None) for b in benchmarks], [(p, prm) for p in policies for prm in prms]
    return [(b, policy) for b in benchmarks for policy in policies], [(None, p) for p in prms]


def _panel(axes: Axes, part: pl.DataFrame, keys: Sequence[Key], searches: Searches) -> None:
    axes.set_xscale("log", base=2)
    sizes = sorted(set(part["n"]))
    reach = (sizes[0] / 1.25, sizes[-1] * 1.25)
    base = part.filter(pl.col("strategy") == "pass@1")
    for row in base.iter_rows(named=True):
        if row["accuracy"] is None:
            continue
        axes.axhspan(row["low"], row["high"], color=MUTED, alpha=0.13, linewidth=0)
        axes.axhline(row["accuracy"], color=MUTED, linewidth=1.1, linestyle=(0, (5, 3)))
    oracle = part.filter(pl.col("strategy") == "oracle").sort("n")
    axes.plot(oracle["n"], oracle["accuracy"], color=INK, linewidth=1.1, linestyle=":", zorder=2)
    for index, key in enumerate(keys):
        shift = 2.0 ** (SPREAD * (index - (len(keys) - 1) / 2))
        look_of = (colour_of(key, keys, searches), marker_of(key[0], searches))
        _curve(axes, part, key, look_of, shift)
    axes.set_xlim(*reach)
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=3)


def _curve(
    axes: Axes, part: pl.DataFrame, key: Key, look_of: tuple[str, str], shift: float
) -> None:
    strategy, aggregation = key
    colour, marker = look_of
    same = pl.col("aggregation").is_null()
    if aggregation is not None:
        same = pl.col("aggregation") == aggregation
    line = part.filter((pl.col("strategy") == strategy) & same).sort("n")
    line = line.filter(pl.col("accuracy").is_not_null())
    if line.is_empty():
        return
    x = (line["n"] * shift).to_list()
    y = line["accuracy"].to_numpy()
    bars = line["n"].to_numpy() > 1
    spread = np.stack([y - line["low"].to_numpy(), line["high"].to_numpy() - y])[:, bars]
    single = len(x) == 1
    axes.errorbar(
        np.array(x)[bars],
        y[bars],
        yerr=spread,
        fmt="none",
        ecolor=colour,
        elinewidth=0.9,
        alpha=0.55,
        zorder=3,
    )
    axes.plot(
        x,
        y,
        color=colour,
        linewidth=1.5,
        zorder=4,
        linestyle="none" if single else "-",
        marker=marker,
        markersize=10 if single else 4.2,
        markeredgecolor="white",
        markeredgewidth=0.6,
    )


def legend(
    figure: Figure, keys: Sequence[Key], present: set[Key], note: str | None, searches: Searches
) -> None:
    """The strategies that a figure shows, below its panels; ``note`` stands above them."""
    handles = [
        Line2D(
            [],
            [],
            color=colour_of(key, keys, searches),
            marker=marker_of(key[0], searches),
            markersize=9 if key[0] in searches else 5,
            linewidth=1.5,
            linestyle="none" if key[0] in searches else "-",
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=name_of(*key, searches),
        )
        for key in keys
    ]
    if ("oracle", None) in present:
        handles.append(
            Line2D([], [], color=INK, linestyle=":", linewidth=1.1, label=name_of("oracle", None))
        )
    handles.append(
        Line2D(
            [],
            [],
            color=MUTED,
            linestyle=(0, (5, 3)),
            linewidth=1.1,
            label="pass@1 with its interval",
        )
    )
    legend = figure.legend(
        handles=handles,
        loc="outside lower center",
        handlelength=2.2,
        columnspacing=1.6,
        ncols=4 if figure.get_figwidth() > 9 else 3,
        title=note,
        title_fontsize=8,
    )
    legend.get_title().set_color(MUTED)
