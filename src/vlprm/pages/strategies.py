"""The result table: every strategy with its interval, as CSV and as a grid for readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from vlprm.pages.style import NO_SEARCHES, Searches, name_of, rank_of
from vlprm.records import ACCURACY, CHOSEN, OVER_MAJORITY, Metric

COLUMNS = (
    "benchmark",
    "policy",
    "prm",
    "strategy",
    "aggregation",
    "n",
    "accuracy",
    "low",
    "high",
    "delta",
    "delta_low",
    "delta_high",
    "n_samples",
    "n_ungraded",
    "unfinished",
    "over_majority",
    "over_majority_low",
    "over_majority_high",
)
SCHEMA: dict[str, pl.DataType] = {
    name: pl.String()
    if name in COLUMNS[:5]
    else pl.Int64()
    if name in {"n", "n_samples", "n_ungraded"}
    else pl.Float64()
    for name in COLUMNS
}
DECIMALS = 6
WITHOUT_N = frozenset({"pass@1"})
"""Strategies that stand beside every N."""


def strategy_frame(
    metrics: Sequence[Metric], name: str = ACCURACY, searches: Searches = NO_SEARCHES
) -> pl.DataFrame:
    """One row a metric called ``name``, columns :data:`COLUMNS`, shares of one.

    Benchmarks, policies and PRMs keep the order they come in; strategies that ask no PRM stand
    before the PRMs of their policy. The last three columns hold the difference to majority vote
    over as many candidates.
    """
    places_of = ("benchmark", "policy", "prm", "strategy", "aggregation", "n")
    versus = {
        tuple(getattr(metric, key) for key in places_of): metric
        for metric in metrics
        if metric.name == OVER_MAJORITY
    }
    chosen = [metric for metric in metrics if metric.name == name]
    places: dict[str, dict[str | None, int]] = {"benchmark": {}, "policy": {}, "prm": {None: -1}}
    for metric in chosen:
        for key, seen in places.items():
            seen.setdefault(getattr(metric, key), len(seen))

    def order(metric: Metric) -> tuple[object, ...]:
        place = [seen[getattr(metric, key)] for key, seen in places.items()]
        return (*place, rank_of(metric.strategy, metric.aggregation, searches), metric.n)

    rows = []
    for metric in sorted(chosen, key=order):
        row = metric.model_dump() | {"accuracy": metric.value}
        other = versus.get(tuple(row[key] for key in places_of))
        for end, of in (("", "value"), ("_low", "low"), ("_high", "high")):
            row[f"over_majority{end}"] = None if other is None else getattr(other, of)
        rows.append(row)
    return pl.DataFrame(
        {column: [row[column] for row in rows] for column in COLUMNS}, schema=SCHEMA
    )


def to_csv(frame: pl.DataFrame) -> str:
    """CSV with six decimals; a value that is missing is an empty field."""
    return frame.write_csv(float_precision=DECIMALS, line_terminator="\n")


@dataclass(frozen=True, slots=True)
class Cell:
    """A share with its interval and, below it, the difference to pass@1 with its interval."""

    value: tuple[float | None, float | None, float | None]
    delta: tuple[float | None, float | None, float | None]
    unfinished: float | None = None
    """Share of the answers behind it that were cut."""

    @property
    def clear(self) -> bool:
        """The interval of the difference does not hold zero."""
        low, high = self.delta[1:]
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, slots=True)
class Grid:
    """Strategies by policy and PRM at one n."""

    benchmark: str
    n: int
    columns: tuple[tuple[str, str], ...]
    """Policy and PRM; "" where the policy meets no PRM."""
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    """Name of the strategy, one cell per column. A strategy that asks no PRM stands once per
    policy, in the column of its first PRM: see ``shared``."""
    shared: tuple[bool, ...]
    """Which rows ask no PRM."""


def grids(frame: pl.DataFrame, searches: Searches = NO_SEARCHES) -> list[Grid]:
    """A grid for every benchmark and every n > 1 (n = 1 is pass@1 for all strategies)."""
    found = []
    frame = frame.filter(pl.col("strategy") != CHOSEN)  # about other questions: not in one grid
    for benchmark in frame["benchmark"].unique(maintain_order=True):
        here = frame.filter(pl.col("benchmark") == benchmark)
        sizes = sorted(set(here.filter(~pl.col("strategy").is_in(WITHOUT_N))["n"]))
        for n in [size for size in sizes if size > 1] or sizes[:1]:
            part = here.filter((pl.col("n") == n) | pl.col("strategy").is_in(WITHOUT_N))
            found.append(_grid(benchmark, n, part, searches))
    return found


def _grid(benchmark: str, n: int, part: pl.DataFrame, searches: Searches) -> Grid:
    prms = [prm for prm in part["prm"].unique(maintain_order=True) if prm is not None] or [""]
    policies = part["policy"].unique(maintain_order=True)
    columns = tuple((policy, prm) for policy in policies for prm in prms)
    cells: dict[tuple[str, str | None], dict[tuple[str, str | None], Cell]] = {}
    for row in part.iter_rows(named=True):
        cell = Cell(
            (row["accuracy"], row["low"], row["high"]),
            (row["delta"], row["delta_low"], row["delta_high"]),
            row["unfinished"],
        )
        strategy = (row["strategy"], row["aggregation"])
        cells.setdefault(strategy, {})[row["policy"], row["prm"]] = cell
    names = sorted(cells, key=lambda key: rank_of(key[0], key[1], searches))
    rows = tuple(
        (
            name_of(*name, searches),
            tuple(cells[name].get(c, cells[name].get((c[0], None))) for c in columns),
        )
        for name in names
    )
    shared = tuple(all(prm is None for _, prm in cells[name]) for name in names)
    return Grid(benchmark, n, columns, rows, shared)


def percent(value: float | None, *, signed: bool = False) -> str:
    """``56.2`` or ``+8.2`` (a true minus sign); a dash for no value."""
    if value is None:
        return "–"
    text = f"{abs(100 * value):.1f}"
    if signed:
        # the sign is that of the number, so that +0.0 is told from −0.0 and from no difference
        return ("−" if value < 0 else "+" if value > 0 else "±") + text
    return ("−" if value < 0 else "") + text


def cut_share(cells: Sequence[Cell | None]) -> str:
    """The share of cut answers of a row's cells in %: one number, or the least and the largest."""
    shares = [cell.unfinished for cell in cells if cell is not None and cell.unfinished is not None]
    ends = [percent(share) for share in (min(shares), max(shares))] if shares else ["–"]
    return "–".join(dict.fromkeys(ends))


def interval(
    values: tuple[float | None, float | None, float | None], *, signed: bool = False
) -> str:
    """``56.2 [52.0, 60.4]``."""
    value, low, high = values
    if value is None:
        return "–"
    if low is None or high is None:
        return percent(value, signed=signed)
    return (
        f"{percent(value, signed=signed)} "
        f"[{percent(low, signed=signed)}, {percent(high, signed=signed)}]"
    )
