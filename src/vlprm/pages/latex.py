"""The same grids for a paper (needs the package booktabs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from vlprm.pages.markdown import ungraded_fact
from vlprm.pages.strategies import Cell, Grid, cut_share, grids, percent, strategy_frame
from vlprm.pages.style import NO_SEARCHES, Searches
from vlprm.records import Metric

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"$-$",
    "±": r"$\pm$",
    "–": "--",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
}


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def strategies_tex(
    metrics: Sequence[Metric], facts: Mapping[str, str], searches: Searches = NO_SEARCHES
) -> str:
    """One ``table`` a benchmark and N, the facts in each caption."""
    frame = strategy_frame(metrics, searches=searches)
    told = "; ".join(f"{name}: {fact}" for name, fact in {**facts, **ungraded_fact(frame)}.items())
    return "\n".join(_table(grid, told) for grid in grids(frame, searches))


def _table(grid: Grid, told: str) -> str:
    policies = [(policy, len(list(group))) for policy, group in groupby(c[0] for c in grid.columns)]
    heads = " & ".join(rf"\multicolumn{{{count}}}{{c}}{{{escape(p)}}}" for p, count in policies)
    rules, at = [], 2
    for _, count in policies:
        rules.append(rf"\cmidrule(lr){{{at}-{at + count - 1}}}")
        at += count
    caption = (
        f"Accuracy (%) on {escape(grid.benchmark)} at $N={grid.n}$; in brackets the interval; below"
        " the difference to pass@1 of the same policy, paired, in bold when its interval does not"
        f" hold zero. Strategies in italics ask no PRM. Cut: answers that did not come to their"
        f" end, \\%. {escape(told)}."
    )
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}r}}",
        r"\toprule",
        rf" & {heads} & \\",
        " ".join(rules),
        "strategy & " + " & ".join(escape(prm) for _, prm in grid.columns) + r" & cut \\",
        r"\midrule",
    ]
    for (name, cells), shared in zip(grid.rows, grid.shared, strict=True):
        shown = rf"\textit{{{escape(name)}}}" if shared else escape(name)
        texts = [*(_value(cell) for cell in cells), escape(cut_share(cells))]
        lines.append(f"{shown} & " + " & ".join(texts) + r" \\")
        if any(cell is not None and _moved(cell) for cell in cells):
            lines.append(" & " + " & ".join(_delta(cell) for cell in cells) + r" & \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _moved(cell: Cell) -> bool:
    return cell.delta[0] is not None and cell.delta != (0.0, 0.0, 0.0)


def _value(cell: Cell | None) -> str:
    return "" if cell is None else _interval(cell.value, signed=False)


def _delta(cell: Cell | None) -> str:
    if cell is None or not _moved(cell):
        return ""
    text = _interval(cell.delta, signed=True)
    return rf"\textbf{{{text}}}" if cell.clear else text


def _interval(values: tuple[float | None, float | None, float | None], *, signed: bool) -> str:
    value, low, high = (escape(percent(item, signed=signed)) for item in values)
    if values[1] is None or values[2] is None:
        return value
    return rf"{value} {{\scriptsize[{low}, {high}]}}"
