"""Names, order and colours of strategies, and one look for all figures.

A search goes by its own name; label, marker and colours are its kind's (``search.keep``).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vlprm.search.keep import KINDS

Key = tuple[str, str | None]
Searches = Mapping[str, str]
"""Names of searches and their kinds, in the order of the configuration."""
NO_SEARCHES: Searches = MappingProxyType({})
SEARCH = "search"
"""Where searches stand in the order."""
ORDER = (
    "pass@1",
    "first",
    "random",
    "majority",
    "llm_judge",
    "best_of_n_orm",
    "published_reward",
    "step_aggregation",
    "weighted_vote",
    SEARCH,
    "chosen",
    "oracle",
)
NAMES = {
    "pass@1": "pass@1",
    "first": "first candidate",
    "random": "random candidate",
    "majority": "majority vote",
    "llm_judge": "LLM judge",
    "best_of_n_orm": "PRM on the whole solution",
    "published_reward": "published reward",
    "step_aggregation": "PRM, steps",
    "weighted_vote": "weighted vote",
    "chosen": "chosen on the other half",
    "oracle": "oracle (any of N right)",
}
AGGREGATION_NAMES = {
    "min": "minimum",
    "mean": "mean",
    "product": "product",
    "last": "last",
    "max": "maximum",
    "sum_logit": "sum of log odds",
    "mean_logit": "mean of log odds",
    "published_reward": "published reward",
    "whole": "whole solution",
}
INK, MUTED, FAINT = "#1f2933", "#6b7785", "#e3e7eb"
# Okabe and Ito's colours, told apart with any colour vision
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
)
COLOURS = {
    "pass@1": MUTED,
    "random": MUTED,
    "first": MUTED,
    "oracle": INK,
    "majority": ORANGE,
    "llm_judge": PURPLE,
    "best_of_n_orm": SKY,
    "published_reward": PURPLE,
    "weighted_vote": GREEN,
}
STEP_COLOURS = (BLUE, "#003f5c", "#8c564b", "#7a5195", "#4c72b0")
MARKERS = {
    "majority": "s",
    "weighted_vote": "D",
    "best_of_n_orm": "^",
    "published_reward": "v",
    "llm_judge": "P",
}
_PARAMETERS: Any = {
    "svg.hashsalt": "vlprm",
    "svg.fonttype": "path",  # looks the same without the font
    "font.family": "DejaVu Sans",  # ships with matplotlib
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


@contextmanager
def look() -> Iterator[None]:
    """The one style; independent of a user's matplotlibrc."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_PARAMETERS)
        yield


def name_of(strategy: str, aggregation: str | None, searches: Searches = NO_SEARCHES) -> str:
    """The name a reader sees: ``PRM, steps: minimum``, ``beam search (beam-4x4)``."""
    if strategy in searches:
        return f"{KINDS[searches[strategy]].label} ({strategy})"
    name = NAMES.get(strategy, strategy)
    if strategy == "chosen" and aggregation is not None:
        return f"{name}: {name_of(*key_of(aggregation), searches)}"
    if aggregation is None:
        return name
    detail = AGGREGATION_NAMES.get(aggregation, aggregation)
    return f"{name}: {detail}" if strategy == "step_aggregation" else f"{name} ({detail})"


def rank_of(
    strategy: str, aggregation: str | None, searches: Searches = NO_SEARCHES
) -> tuple[int, str, int, str]:
    """Sorts strategies as tables list them, searches as the configuration does."""
    if strategy in searches:
        return ORDER.index(SEARCH), "", list(searches).index(strategy), strategy
    known = ORDER.index(strategy) if strategy in ORDER else len(ORDER)
    names = list(AGGREGATION_NAMES)
    inner = names.index(aggregation) if aggregation in names else len(names)
    return known, strategy, inner, aggregation or ""


def colour_of(key: Key, keys: Sequence[Key], searches: Searches = NO_SEARCHES) -> str:
    """The colour of a strategy; aggregations of steps are shades of blue in their order, searches
    of one kind shades of its colour."""
    name = key[0]
    if name in searches:
        kind = searches[name]
        shades = KINDS[kind].colours
        place = [other for other in searches if searches[other] == kind].index(name)
        return shades[place % len(shades)]
    if name in COLOURS:
        return COLOURS[name]
    steps = [other for other in keys if other[0] == name]
    return STEP_COLOURS[steps.index(key) % len(STEP_COLOURS)]


def marker_of(strategy: str, searches: Searches = NO_SEARCHES) -> str:
    """The marker of a strategy in figures."""
    kind = searches.get(strategy)
    return KINDS[kind].marker if kind else MARKERS.get(strategy, "o")


def key_of(curve: str) -> Key:
    """``step_aggregation/min`` in a configuration to strategy and aggregation."""
    strategy, _, aggregation = curve.partition("/")
    return strategy, aggregation or None


def svg(figure: Figure) -> bytes:
    """The figure as SVG: no date, no program name, fixed ids."""
    return _saved(figure, "svg", metadata={"Date": None, "Creator": None})


def png(figure: Figure, dpi: int) -> bytes:
    """The figure as PNG."""
    return _saved(figure, "png", dpi=dpi, metadata={"Software": None})


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with look():
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()
