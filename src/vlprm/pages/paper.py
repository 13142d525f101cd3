"""The paper's figures beside ours.

``paper_values.csv`` holds what is public of arXiv 2509.23250: the headline table of the authors'
model cards (one-shot best of 16; accuracies in %, gains as printed, a note where the two
disagree). The tables inside the paper's body could not be recovered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from statistics import NormalDist

import numpy as np
import polars as pl

from vlprm.pages.strategies import interval
from vlprm.pages.style import NO_SEARCHES, Searches
from vlprm.records import ACCURACY, NOISE_ONE, NOISE_OWN, Metric

OVERALL = "overall"
BENCHMARKS = ("mmmu", "puzzlevqa", "algopuzzlevqa", "mathvista", "mathvision")
"""Those whose mean is ``overall``."""
BASE = ("pass@1", 1)
GUIDED = "guided_search"
"""The paper's step-guided search in its file: our searches of kind ``greedy``."""
Key = tuple[str, str | None, str, str, int]
"""Policy, PRM, benchmark, strategy, n."""
Ends = tuple[float | None, float | None, float | None]
"""Value, low, high."""
NOTHING: Ends = (None, None, None)
KEYS = ("policy", "prm", "benchmark", "strategy", "n")
COMPARED: dict[str, type[pl.DataType]] = {
    name: pl.Int64
    if name == "n"
    else pl.String
    if name in {*KEYS, "verdict", "gain_verdict", "note"}
    else pl.Float64
    for name in (
        *KEYS, "paper", "ours", "low", "high", "noise", "verdict", "paper_gain", "gain", "gain_low",
        "gain_high", "gain_noise", "gain_verdict", "note",
    )
}  # fmt: skip
SCHEMA: dict[str, type[pl.DataType]] = {
    "policy": pl.String,
    "prm": pl.String,
    "benchmark": pl.String,
    "strategy": pl.String,
    "n": pl.Int64,
    "accuracy": pl.Float64,
    "printed_gain": pl.Float64,
    "source": pl.String,
    "note": pl.String,
}


def paper_values() -> pl.DataFrame:
    """Columns ``policy, prm, benchmark, strategy, n, accuracy, printed_gain, source, note``.

    Accuracies and gains in %; ``prm`` is null for the policy alone. ``overall`` is the mean of
    the five benchmarks.
    """
    path = files("vlprm.pages").joinpath("paper_values.csv")
    return pl.read_csv(path.read_bytes(), schema=SCHEMA)


def compare(
    metrics: Sequence[Metric],
    names: Mapping[str, str] | None = None,
    *,
    margin: float,
    searches: Searches = NO_SEARCHES,
) -> pl.DataFrame:
    """The paper's cells that we also have, all in % or points: values, intervals, verdicts.

    ``names`` maps our benchmark, policy and PRM names to those of the paper's file where they
    differ. A search of kind ``greedy`` is the paper's guided search; of several with the same n it
    is the one whose metrics come first, as ``evaluation.searches`` lists them. ``overall`` is
    computed where all five benchmarks are there. ``noise`` is the standard deviation of the
    difference of two such runs over the same questions: the paper's, one answer per question, and
    ours, as often as it drew. ``verdict`` and ``gain_verdict``: :func:`verdict` with this noise
    and the margin (points). Intervals are over questions, for reading; no verdict uses them.
    """
    guided = {name: GUIDED for name, kind in searches.items() if kind == "greedy"}
    ours = _ours(metrics, dict(names or {}), guided)
    paper = paper_values()
    alone = {
        (row["policy"], row["benchmark"]): row["accuracy"]
        for row in paper.filter(pl.col("prm").is_null()).iter_rows(named=True)
    }
    rows = []
    for row in paper.iter_rows(named=True):
        key = (row["policy"], row["prm"], row["benchmark"], row["strategy"], row["n"])
        cell = ours.get(key)
        if cell is None or cell.value[0] is None:
            continue
        base = ours.get((row["policy"], None, row["benchmark"], *BASE))
        with_prm = row["prm"] is not None
        gain = round(row["accuracy"] - alone[row["policy"], row["benchmark"]], 1)
        noise, both = _together(cell), _together(cell, base)
        ours_gain = cell.delta if with_prm else NOTHING
        rows.append(
            dict(zip(KEYS, key, strict=True))
            | {"paper": row["accuracy"]}
            | dict(zip(("ours", "low", "high"), cell.value, strict=True))
            | {"noise": noise, "verdict": verdict(cell.value[0] - row["accuracy"], noise, margin)}
            | {"paper_gain": gain if with_prm else None}
            | dict(zip(("gain", "gain_low", "gain_high"), ours_gain, strict=True))
            | {"gain_noise": both if with_prm else None}
            | {
                "gain_verdict": None
                if ours_gain[0] is None
                else verdict(ours_gain[0] - gain, both, margin)
            }
            | {"note": row["note"]}
        )
    return pl.DataFrame(rows, schema=COMPARED)


def verdict(difference: float, noise: float | None, margin: float) -> str | None:
    """``agrees``, ``differs`` or ``undecided``; None where the noise is not known.

    Agrees: the 90 % interval of the difference lies within the margin (two one-sided tests at
    5 %, Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987), so a true
    difference of the margin agrees in at most 5 % of runs. Differs: the 95 % interval leaves
    out zero, and it does not agree. Undecided: the runs are too noisy for either.
    """
    if noise is None:
        return None
    normal = NormalDist()
    if abs(difference) + normal.inv_cdf(0.95) * noise <= margin:
        return "agrees"
    return "differs" if abs(difference) > normal.inv_cdf(0.975) * noise else "undecided"


@dataclass(frozen=True, slots=True)
class _Cell:
    """One of our rows in %: value and difference to pass@1 with their ends, decoding noise."""

    value: Ends
    delta: Ends
    one: float | None
    own: float | None


def _ours(
    metrics: Sequence[Metric], names: dict[str, str], guided: dict[str, str]
) -> dict[Key, _Cell]:
    """Our cells by policy, PRM, benchmark, strategy and n, the overall ones too."""
    by_name: dict[str, dict[Key, Metric]] = {name: {} for name in (ACCURACY, NOISE_ONE, NOISE_OWN)}
    for item in metrics:
        if item.aggregation is None and item.name in by_name:
            policy, benchmark = names.get(item.policy, item.policy), item.benchmark
            prm = None if item.prm is None else names.get(item.prm, item.prm)
            strategy = guided.get(item.strategy, item.strategy)
            key = (policy, prm, names.get(benchmark, benchmark), strategy, item.n)
            by_name[item.name].setdefault(key, item)
    found = {}
    for key, item in by_name[ACCURACY].items():
        one, own = (by_name[name].get(key) for name in (NOISE_ONE, NOISE_OWN))
        found[key] = _Cell(
            _percent(item.value, item.low, item.high),
            _percent(item.delta, item.delta_low, item.delta_high),
            _percent(one.value if one else None)[0],
            _percent(own.value if own else None)[0],
        )
    for policy, prm, _, strategy, n in list(found):
        parts = [found.get((policy, prm, name, strategy, n)) for name in BENCHMARKS]
        cells = [part for part in parts if part is not None]
        if len(cells) == len(BENCHMARKS):
            found[policy, prm, OVERALL, strategy, n] = _Cell(
                _mean_of([cell.value for cell in cells]),
                _mean_of([cell.delta for cell in cells]),
                _root([cell.one for cell in cells], len(cells)),
                _root([cell.own for cell in cells], len(cells)),
            )
    return found


def _mean_of(parts: Sequence[Ends]) -> Ends:
    """Mean of independent values; its ends from theirs (MOVER, Zou and Donner 2008)."""
    known = [(v, low, high) for v, low, high in parts if None not in (v, low, high)]
    if len(known) < len(parts):
        return NOTHING
    values, lows, highs = np.array(known, dtype=np.float64).T
    mean, count = float(values.mean()), len(known)
    below, above = np.hypot.reduce(values - lows), np.hypot.reduce(highs - values)
    return mean, mean - float(below) / count, mean + float(above) / count


def _together(*cells: _Cell | None) -> float | None:
    """Noise of the difference of the paper's run and ours, of one row or of two as a gain."""
    parts = [part for cell in cells for part in ((cell.one, cell.own) if cell else (None,))]
    return _root(parts, 1)


def _root(parts: Sequence[float | None], count: int) -> float | None:
    known = [part for part in parts if part is not None]
    return math.hypot(*known) / count if len(known) == len(parts) else None


def _percent(*values: float | None) -> Ends:
    value, low, high = (None if item is None else 100 * item for item in (*values, None, None)[:3])
    return value, low, high


def comparison_page(table: pl.DataFrame, facts: Mapping[str, str], *, margin: float) -> str:
    """The comparison for readers, with what its verdicts mean."""
    lines = ["# Paper and this run", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    lines += [
        "- **paper:** authors' model cards, one-shot best of 16; no intervals were published",
        (
            "- **verdicts:** both runs answer the same questions, so what tells them apart is"
            " decoding noise: ± is its standard deviation, of the paper's one answer per question"
            f" and of ours. Agrees: a difference shown to be within {margin:g} points (two"
            " one-sided tests at 5 %). Differs: a difference shown to be there, at 5 %."
            " Undecided: neither. Noise of another training of the PRM is not in it."
        ),
        "- **overall:** mean of the five benchmarks, where all of them were run",
        "",
        "| benchmark | policy | PRM | paper | ours | ± | | paper's gain | our gain | ± | | note |",
        "|:--|:--|:--|--:|--:|--:|:-:|--:|--:|--:|:-:|:--|",
    ]
    for row in table.iter_rows(named=True):
        paper_gain = "" if row["paper_gain"] is None else f"{row['paper_gain']:+.1f}"
        gain = _shares(row["gain"], row["gain_low"], row["gain_high"])
        cells = [
            row["benchmark"],
            row["policy"],
            row["prm"] or "none",
            f"{row['paper']:.1f}",
            interval(_shares(row["ours"], row["low"], row["high"])),
            _number(row["noise"]),
            row["verdict"] or "",
            paper_gain.replace("-", "−"),
            interval(gain, signed=True) if row["gain"] is not None else "",
            _number(row["gain_noise"]),
            row["gain_verdict"] or "",
            row["note"] or "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if table.is_empty():
        lines += ["", "No policy, PRM and benchmark of this run stands in the paper's table."]
    return "\n".join(lines) + "\n"


def _shares(*values: float | None) -> Ends:
    value, low, high = (None if item is None else item / 100 for item in values)
    return value, low, high


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
