"""Names, order and colours of strategies, and one look for all figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Key = tuple[str, str | None]
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
    "guided_search",
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
    "guided_search": "step-guided search",
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
    "guided_search": RED,
}
STEP_COLOURS = (BLUE, "#003f5c", "#8c564b", "#7a5195", "#4c72b0")
MARKERS = {
    "majority": "s",
    "weighted_vote": "D",
    "guided_search": "*",
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


def name_of(strategy: str, aggregation: str | None) -> str:
    """The name a reader sees: ``PRM, steps: minimum``."""
    name = NAMES.get(strategy, strategy)
    if aggregation is None:
        return name
    detail = AGGREGATION_NAMES.get(aggregation, aggregation)
    return f"{name}: {detail}" if strategy == "step_aggregation" else f"{name} ({detail})"


def rank_of(strategy: str, aggregation: str | None) -> tuple[int, str, int, str]:
    """Sorts strategies as tables list them."""
    known = ORDER.index(strategy) if strategy in ORDER else len(ORDER)
    names = list(AGGREGATION_NAMES)
    inner = names.index(aggregation) if aggregation in names else len(names)
    return known, strategy, inner, aggregation or ""


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
