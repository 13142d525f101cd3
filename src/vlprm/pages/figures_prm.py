"""Figures of the PRM and of its labels: calibration, first-error confusion, label statistics.

They take the records of ``metrics`` as data frames: ``CalibrationBin``, ``ConfusionCell`` and
``LabelStatistics``.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vlprm.pages.style import BLUE, GREEN, INK, MUTED, ORANGE, RED, SKY, look

Panel = tuple[str, str, str]
NO_ERROR = -1
SHADES = LinearSegmentedColormap.from_list("shades", ["#f5f8fb", "#9cc3e0", BLUE, "#003a63"])
LAST = 9
"""First errors from this step on share one row and column."""


def calibration_figure(bins: pl.DataFrame) -> Figure:
    """Share of right steps against the PRM's p(+), with the number of steps in each bin."""
    panels = _panels(bins)
    if not panels:
        return _empty()
    columns = min(len(panels), 4)
    lines = -(-len(panels) // columns)
    with look():
        figure = Figure(figsize=(2.7 * columns + 0.4, 3.8 * lines + 0.2), layout="constrained")
        grid = figure.subplots(
            2 * lines, columns, squeeze=False, sharex=True, height_ratios=[3.4, 1] * lines
        )
        for index, panel in enumerate(panels):
            line, column = divmod(index, columns)
            top, below = grid[2 * line][column], grid[2 * line + 1][column]
            part = _of(bins, panel)
            _reliability(top, part)
            _counts(below, part)
            top.set_title(_title(panel, bins))
            if column == 0:
                top.set_ylabel("share of right steps")
                below.set_ylabel("steps, %")
            below.set_xlabel("p(+) of the step")
        for index in range(len(panels), lines * columns):
            line, column = divmod(index, columns)
            grid[2 * line][column].set_axis_off()
            grid[2 * line + 1][column].set_axis_off()
    return figure


def _reliability(axes: Axes, part: pl.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle=(0, (5, 3)))
    full = part.filter(pl.col("n") > 0)
    x, y = full["mean_plus"].to_numpy(), full["share_right"].to_numpy()
    spread = [y - full["share_low"].to_numpy(), full["share_high"].to_numpy() - y]
    axes.errorbar(
        x, y, yerr=np.maximum(spread, 0), fmt="none", ecolor=BLUE, elinewidth=1.0, alpha=0.6
    )
    axes.plot(
        x,
        y,
        color=BLUE,
        linewidth=1.4,
        marker="o",
        markersize=4.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
    )
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlim(0.0, 1.0)


def _counts(axes: Axes, part: pl.DataFrame) -> None:
    low, high = part["low"].to_numpy(), part["high"].to_numpy()
    counts = part["n"].to_numpy()
    shares = counts / max(int(counts.sum()), 1)
    axes.bar(low, shares, width=(high - low) * 0.92, align="edge", color=SKY)
    axes.set_ylim(0, max(float(shares.max()) * 1.1, 0.1))
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    axes.text(
        0.02,
        0.92,
        f"{int(counts.sum()):,} steps",
        transform=axes.transAxes,
        va="top",
        fontsize=7.5,
        color=MUTED,
    )


def confusion_figure(cells: pl.DataFrame) -> Figure:
    """Where the first error is against where the PRM sees it; shares of each true row."""
    panels = _panels(cells)
    if not panels:
        return _empty()
    columns = min(len(panels), 4)
    lines = -(-len(panels) // columns)
    largest = max(int(cells["truth"].max() or 0), int(cells["said"].max() or 0))  # type: ignore[arg-type]
    steps = list(range(min(largest, LAST) + 1))
    size = max(2.6, 0.34 * (len(steps) + 1) + 0.9)
    with look():
        figure = Figure(
            figsize=((size + 0.55) * columns + 0.9, (size + 0.1) * lines), layout="constrained"
        )
        grid = figure.subplots(lines, columns, squeeze=False)
        image: AxesImage | None = None
        for index, panel in enumerate(panels):
            line, column = divmod(index, columns)
            axes = grid[line][column]
            image = _matrix(axes, _of(cells, panel), steps)
            axes.set_title(_title(panel, cells))
            axes.set_xlabel("first step the PRM flags")
            if column == 0:
                axes.set_ylabel("true first error")
        for index in range(len(panels), lines * columns):
            grid[index // columns][index % columns].set_axis_off()
        if image is not None:
            bar = figure.colorbar(image, ax=grid, shrink=0.75, aspect=24, pad=0.015)
            bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            bar.set_label("share of the row")
            bar.outline.set_visible(False)
    return figure


def _matrix(axes: Axes, part: pl.DataFrame, steps: list[int]) -> AxesImage:
    order = [*steps, NO_ERROR]
    place = {step: index for index, step in enumerate(order)}
    counts = np.zeros((len(order), len(order)))
    for truth, said, count in part.select("truth", "said", "count").iter_rows():
        counts[place[min(truth, steps[-1])], place[min(said, steps[-1])]] += count
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    image = axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            axes.text(
                column,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if share > 0.45 else INK,
            )
    names = [str(step + 1) for step in steps]
    if steps[-1] == LAST:
        names[-1] += "+"
    rows = [f"{n}  ({int(t):,})" for n, t in zip([*names, "none"], totals[:, 0], strict=True)]
    axes.set_xticks(range(len(order)), [*names, "none"])
    axes.set_yticks(range(len(order)), rows)
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=7.5)
    axes.spines[:].set_visible(False)
    # lines set "no wrong step" apart
    axes.axhline(len(steps) - 0.5, color="white", linewidth=2.5)
    axes.axvline(len(steps) - 0.5, color="white", linewidth=2.5)
    return image


OUTCOMES = {
    "all_right": ("all steps right", GREEN),
    "error_in_perception": ("first error in perception", RED),
    "error_in_reasoning": ("first error in reasoning", ORANGE),
    "error_in_solution": ("first error in the solution", "#8c564b"),
    "dropped": ("dropped by the rule", "#c3cad2"),
}
STEPS = {
    "steps_plus": ("+", GREEN),
    "steps_minus": ("−", RED),
    "steps_masked": ("left out of the loss", "#c3cad2"),
}


def label_figure(statistics: pl.DataFrame) -> Figure:
    """Outcome of each source's rollouts, and labels of their steps, as shares with counts."""
    sources = statistics["source"].to_list()
    with look():
        figure = Figure(
            figsize=(9.2, 0.42 * len(sources) + 1.75),
            layout=ConstrainedLayoutEngine(wspace=0.06, w_pad=0.08),
        )
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
        _stack(left, statistics, OUTCOMES)
        _stack(right, statistics, STEPS)
        left.set_title("rollouts", pad=6)
        right.set_title("labelled steps", pad=6)
        left.set_yticks(range(len(sources)), sources)
        right.set_yticks(range(len(sources)), [""] * len(sources))
    return figure


def _stack(axes: Axes, statistics: pl.DataFrame, parts: dict[str, tuple[str, str]]) -> None:
    totals = np.maximum(sum(statistics[name].to_numpy() for name in parts), 1)
    start = np.zeros(statistics.height)
    rows = np.arange(statistics.height)
    for name, (label, colour) in parts.items():
        counts = statistics[name].to_numpy()
        width = counts / totals
        axes.barh(
            rows,
            width,
            left=start,
            color=colour,
            height=0.68,
            label=label,
            edgecolor="white",
            linewidth=0.8,
        )
        for row, (share, count) in enumerate(zip(width, counts, strict=True)):
            if share >= 0.09:
                dark = colour in {"#c3cad2", ORANGE}
                axes.text(
                    start[row] + share / 2,
                    row,
                    f"{count:,}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color=INK if dark else "white",
                )
        start = start + width
    axes.set_xlim(0, 1)
    axes.set_ylim(statistics.height - 0.5, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16 - 0.1 / statistics.height),
        ncols=min(len(parts), 3),
        fontsize=7.5,
        handlelength=1.0,
        columnspacing=1.2,
    )


def _empty() -> Figure:
    """What is drawn when no solution has a usable verdict."""
    with look():
        figure = Figure(figsize=(4.0, 1.2))
        figure.text(0.5, 0.5, "no solution has a usable verdict", ha="center", va="center")
    return figure


def _panels(frame: pl.DataFrame) -> list[Panel]:
    rows = frame.select("benchmark", "policy", "prm").unique(maintain_order=True)
    return [(str(b), str(policy), str(prm)) for b, policy, prm in rows.iter_rows()]


def _of(frame: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    benchmark, policy, prm = panel
    return frame.filter(
        (pl.col("benchmark") == benchmark) & (pl.col("policy") == policy) & (pl.col("prm") == prm)
    )


def _title(panel: Panel, frame: pl.DataFrame) -> str:
    benchmark, policy, prm = panel
    pair = f"{policy} · {prm}"
    return f"{benchmark}\n{pair}" if frame["benchmark"].n_unique() > 1 else pair
