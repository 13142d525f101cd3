"""The paper's figures beside ours.

``paper_values.csv`` holds what is public of arXiv 2509.23250: the headline table of the authors'
model cards (one-shot best of 16; accuracies in %, gains as printed, a note where the two
disagree). The tables inside the paper's body could not be recovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

import polars as pl

from vlprm.records import Metric
from vlprm.tables.strategies import interval, strategy_frame

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
    path = files("vlprm.tables").joinpath("paper_values.csv")
    return pl.read_csv(path.read_bytes(), schema=SCHEMA)


def compare(metrics: Sequence[Metric], names: Mapping[str, str] | None = None) -> pl.DataFrame:
    """The paper's cells that we also have: ``paper`` and ``ours`` in %, ``agrees``.

    ``names`` maps our benchmark, policy and PRM names to those of the paper's file where they
    differ. ``agrees``: the paper's value lies in our interval (which covers the questions drawn,
    not the paper's own sampling). ``gain_agrees``: likewise the difference to pass@1 computed
    from the paper's accuracies, against our paired interval.
    """
    renamed = dict(names or {})
    ours = strategy_frame(metrics).with_columns(
        pl.col("benchmark", "policy", "prm").replace(renamed)
    )
    paper = paper_values()
    alone = paper.filter(pl.col("prm").is_null()).select(
        "policy", "benchmark", base=pl.col("accuracy")
    )
    keys = ["policy", "prm", "benchmark", "strategy", "n"]
    joined = paper.join(alone, on=["policy", "benchmark"], how="left").join(
        ours.filter(pl.col("aggregation").is_null()),
        on=keys,
        how="inner",
        suffix="_ours",
        nulls_equal=True,
        maintain_order="left",
    )
    gain = (pl.col("accuracy") - pl.col("base")).round(1)
    alone_row = pl.col("prm").is_null()
    return joined.select(
        *keys,
        paper="accuracy",
        ours=100 * pl.col("accuracy_ours"),
        low=100 * pl.col("low"),
        high=100 * pl.col("high"),
        agrees=pl.col("accuracy").is_between(100 * pl.col("low"), 100 * pl.col("high")),
        paper_gain=pl.when(alone_row).then(None).otherwise(gain),
        gain=pl.when(alone_row).then(None).otherwise(100 * pl.col("delta")),
        gain_low=pl.when(alone_row).then(None).otherwise(100 * pl.col("delta_low")),
        gain_high=pl.when(alone_row).then(None).otherwise(100 * pl.col("delta_high")),
        gain_agrees=pl.when(alone_row)
        .then(None)
        .otherwise(gain.is_between(100 * pl.col("delta_low"), 100 * pl.col("delta_high"))),
        note="note",
    )


def comparison_page(table: pl.DataFrame, facts: Mapping[str, str]) -> str:
    """The comparison for readers; a value inside our interval is marked as agreeing."""
    lines = ["# Paper and this run", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    lines += [
        "- **paper:** authors' model cards, one-shot best of 16; no intervals were published",
        "",
        "| benchmark | policy | PRM | paper | ours | | paper's gain | our gain | | note |",
        "|:--|:--|:--|--:|--:|:-:|--:|--:|:-:|:--|",
    ]
    for row in table.iter_rows(named=True):
        ours = interval(_shares(row["ours"], row["low"], row["high"]))
        paper_gain = "" if row["paper_gain"] is None else f"{row['paper_gain']:+.1f}"
        gain = _shares(row["gain"], row["gain_low"], row["gain_high"])
        cells = [
            row["benchmark"],
            row["policy"],
            row["prm"] or "none",
            f"{row['paper']:.1f}",
            ours,
            _mark(row["agrees"]),
            paper_gain.replace("-", "−"),
            interval(gain, signed=True) if row["gain"] is not None else "",
            _mark(row["gain_agrees"]),
            row["note"] or "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if table.is_empty():
        lines += ["", "No policy, PRM and benchmark of this run stands in the paper's table."]
    return "\n".join(lines) + "\n"


def _shares(*values: float | None) -> tuple[float | None, float | None, float | None]:
    value, low, high = (None if item is None else item / 100 for item in values)
    return value, low, high


def _mark(agrees: bool | None) -> str:
    return "" if agrees is None else "agrees" if agrees else "differs"
