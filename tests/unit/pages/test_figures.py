"""Figures: the same bytes every time, nothing volatile in them, odd inputs drawn."""

from __future__ import annotations

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.figure import Figure

from vlprm.pages.figures import accuracy_figure
from vlprm.pages.figures_prm import calibration_figure, confusion_figure, label_figure
from vlprm.pages.style import colour_of, marker_of, png, svg
from vlprm.records import Metric

CURVES = ["majority", "step_aggregation/min", "step_aggregation/mean", "greedy-4", "absent"]
SEARCHES = {"greedy-2": "greedy", "beam-2x2": "beam", "greedy-4": "greedy"}


def metric(strategy: str, n: int, prm: str | None, value: float | None, **more: str) -> Metric:
    around = None if value is None else value
    return Metric(
        benchmark=more.get("benchmark", "matrix"),
        policy=more.get("policy", "small"),
        prm=prm,
        strategy=strategy,
        aggregation=more.get("aggregation"),
        n=n,
        name="accuracy",
        value=value,
        low=None if around is None else around - 0.05,
        high=None if around is None else around + 0.05,
        delta=None,
        delta_low=None,
        delta_high=None,
        n_samples=10,
        n_ungraded=0,
    )


def some(policies: tuple[str, ...] = ("small",)) -> list[Metric]:
    rows = []
    for policy in policies:
        rows.append(metric("pass@1", 1, None, 0.4, policy=policy))
        for n in (1, 2, 4):
            rows.append(metric("oracle", n, None, 0.4 + n / 10, policy=policy))
            rows.append(metric("majority", n, None, 0.4 + n / 30, policy=policy))
            rows.append(
                metric("step_aggregation", n, "prm", 0.4 + n / 20, policy=policy, aggregation="min")
            )
        rows.append(metric("greedy-4", 4, "prm", 0.6, policy=policy))
    return rows


def bins() -> pl.DataFrame:
    panel = {"benchmark": "m", "policy": "small", "prm": "prm"}
    full = {"n": 5, "mean_plus": 0.7, "share_right": 0.6, "share_low": 0.3, "share_high": 0.9}
    return pl.DataFrame(
        [
            panel | {"low": 0.0, "high": 0.5} | dict.fromkeys(full) | {"n": 0},
            panel | {"low": 0.5, "high": 1.0} | full,
        ]
    )


def cells(last: int = 3) -> pl.DataFrame:
    panel = {"benchmark": "m", "policy": "small", "prm": "prm"}
    return pl.DataFrame(
        [panel | {"truth": t, "said": s, "count": 2} for t, s in [(-1, -1), (0, 1), (last, 0)]]
    )


def labels() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "source": "a",
                "rollouts": 3,
                "labelled": 2,
                "dropped": 1,
                "all_right": 1,
                "error_in_perception": 1,
                "error_in_reasoning": 0,
                "error_in_solution": 0,
                "steps_plus": 5,
                "steps_minus": 1,
                "steps_masked": 0,
            },
            {
                "source": "empty",
                "rollouts": 0,
                "labelled": 0,
                "dropped": 0,
                "all_right": 0,
                "error_in_perception": 0,
                "error_in_reasoning": 0,
                "error_in_solution": 0,
                "steps_plus": 0,
                "steps_minus": 0,
                "steps_masked": 0,
            },
        ]
    )


def draw(name: str) -> Figure:
    if name == "accuracy":
        return accuracy_figure(some(), CURVES, "bars: 95 %", SEARCHES)
    if name == "calibration":
        return calibration_figure(bins())
    return confusion_figure(cells()) if name == "confusion" else label_figure(labels())


@pytest.mark.parametrize("name", ["accuracy", "calibration", "confusion", "labels"])
def test_same_bytes_whatever_the_users_style(name: str) -> None:
    first = svg(draw(name)), png(draw(name), 60)
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": None, "axes.facecolor": "black"}):
        second = svg(draw(name)), png(draw(name), 60)
        assert mpl.rcParams["font.size"] == 20  # the caller's style is left alone
    assert first == second
    text = first[0].decode()
    assert "<dc:date>" not in text
    assert "Matplotlib v" not in text
    assert b"Software" not in first[1]


def test_many_policies_go_below_each_other() -> None:
    figure = accuracy_figure(some(("a", "b", "c", "d", "e")), CURVES)
    assert len(figure.axes) == 5
    assert figure.get_figheight() > figure.get_figwidth()


def test_missing_values_and_missing_prms_are_drawn() -> None:
    png(
        accuracy_figure(
            [metric("pass@1", 1, None, None), metric("majority", 2, None, None)], CURVES
        ),
        50,
    )
    png(accuracy_figure([metric("pass@1", 1, None, 0.5)], []), 50)


def test_no_verdicts_at_all() -> None:
    png(confusion_figure(cells().clear()), 50)
    png(calibration_figure(bins().clear()), 50)


def test_late_first_errors_share_one_cell() -> None:
    figure = confusion_figure(cells(last=25))
    labels_of_rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels_of_rows[-2:] == ["10+  (2)", "none  (2)"]
    assert len(labels_of_rows) == 11


def test_aggregations_are_told_apart() -> None:
    keys = [("step_aggregation", "min"), ("majority", None), ("step_aggregation", "mean")]
    assert len({colour_of(key, keys) for key in keys}) == 3


def test_searches_are_told_apart_and_keep_the_marker_of_their_kind() -> None:
    keys = [(name, None) for name in SEARCHES]
    assert len({colour_of(key, keys, SEARCHES) for key in keys}) == 3
    one, other, same = (marker_of(name, SEARCHES) for name in SEARCHES)
    assert one == same != other
