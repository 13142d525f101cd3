"""Tables: exact columns, readable cells, the paper's values."""

from __future__ import annotations

import polars as pl
import pytest

from vlprm.pages.latex import escape, strategies_tex
from vlprm.pages.markdown import label_page, step_page, strategies_page
from vlprm.pages.strategies import grids, interval, percent, strategy_frame, to_csv
from vlprm.pages.style import key_of, name_of, rank_of
from vlprm.records import Metric

HEADER = (
    "benchmark,policy,prm,strategy,aggregation,n,accuracy,low,high,delta,delta_low,delta_high,"
    "n_samples,n_ungraded,unfinished,over_majority,over_majority_low,over_majority_high"
)


def metric(strategy: str = "majority", n: int = 8, **changes: object) -> Metric:
    values: dict[str, object] = {
        "benchmark": "matrix",
        "policy": "small",
        "prm": None,
        "strategy": strategy,
        "aggregation": None,
        "n": n,
        "name": "accuracy",
        "value": 0.5625,
        "low": 0.52,
        "high": 0.604,
        "delta": 0.082,
        "delta_low": 0.051,
        "delta_high": 0.113,
        "n_samples": 500,
        "n_ungraded": 5,
        "unfinished": 0.01,
    }
    return Metric.model_validate(values | changes)


PASS = metric("pass@1", 1, value=0.48, delta=0.0, delta_low=0.0, delta_high=0.0)
STEPS = {"strategy": "step_aggregation", "aggregation": "min", "prm": "prm-small"}
SEARCHES = {"beam-2x4": "beam", "greedy-8": "greedy"}
SOME = [
    metric(**STEPS, delta_low=-0.01),
    metric("oracle"),
    metric(),
    PASS,
    metric(n=2, value=None, low=None, high=None, delta=None, delta_low=None, delta_high=None),
    metric("greedy-8", prm="prm-large", n=8),
    metric("beam-2x4", prm="prm-large", n=8),
    metric(**STEPS, name="accuracy_over_majority", value=0.012, low=-0.004, high=0.03),
]


def test_csv_has_exactly_the_promised_columns() -> None:
    text = to_csv(strategy_frame(SOME))
    lines = text.splitlines()
    assert lines[0] == HEADER
    assert lines[1] == (
        "matrix,small,,pass@1,,1,0.480000,0.520000,0.604000,0.000000,0.000000,0.000000,500,5,0.010000,,,"
    )
    assert lines[2] == "matrix,small,,majority,,2,,,,,,,500,5,0.010000,,,"
    assert lines[5].endswith(",500,5,0.010000,0.012000,-0.004000,0.030000")
    assert len(lines) == 8  # the difference to majority vote is no accuracy
    assert to_csv(strategy_frame([])).strip() == HEADER


def test_order_is_that_of_the_strategies_not_of_the_input() -> None:
    names = strategy_frame(SOME, searches=SEARCHES)["strategy"].to_list()
    assert names == [
        "pass@1",
        "majority",
        "majority",
        "oracle",
        "step_aggregation",
        "beam-2x4",
        "greedy-8",
    ]
    assert rank_of("pass@1", None) < rank_of("majority", None) < rank_of("new", None)
    here = rank_of("greedy-8", None, SEARCHES)
    assert rank_of("weighted_vote", "min") < here < rank_of("chosen", None)


def test_grid_repeats_what_asks_no_prm_and_leaves_gaps_empty() -> None:
    two, eight = grids(strategy_frame(SOME, searches=SEARCHES), SEARCHES)
    assert (two.n, eight.n) == (2, 8)
    assert eight.columns == (("small", "prm-small"), ("small", "prm-large"))
    rows = dict(eight.rows)
    assert rows["majority vote"][0] == rows["majority vote"][1]
    assert rows["PRM, steps: minimum"][1] is None
    assert rows["step-guided search (greedy-8)"][0] is None
    assert rows["beam search (beam-2x4)"][1] is not None
    assert dict(zip(rows, eight.shared, strict=True))["oracle (any of N right)"]


def test_markdown_says_what_is_measured() -> None:
    page = strategies_page(SOME, {"interval": "95 %", "judge": "truth"}, SEARCHES)
    assert "| beam search (beam-2x4) |" in page
    assert "- **interval:** 95 %" in page
    assert "at most 1.0 % of the questions" in page
    assert "### N = 8" in page
    assert "| *majority vote* | 56.2 [52.0, 60.4]<br>**+8.2 [+5.1, +11.3]** |" in page
    assert page.count(" | 1.0 |\n") == 8  # every row says how much was cut
    assert "56.2 [52.0, 60.4]<br>+8.2 [−1.0, +11.3]" in page  # holds zero: not bold
    assert "Difference to majority vote over the same 8 candidates" in page
    assert "+1.2 [−0.4, +3.0]" in page
    assert page.count("Majority vote of two candidates outvotes nothing") == 1  # beside N = 2 alone


def test_chosen_row_stands_apart_from_the_grid() -> None:
    key = {"prm": "prm-small", "aggregation": "step_aggregation/min", "n_samples": 248}
    rows = [
        *SOME,
        metric("chosen", **key),
        metric("chosen", **key, name="accuracy_over_majority", value=0.02, low=-0.01, high=0.05),
    ]
    page = strategies_page(rows, {})
    assert "chosen on one half of the questions, reported on the other" in page
    assert (
        "| small | prm-small, PRM, steps: minimum | 248 | 56.2 [52.0, 60.4] |"
        " +8.2 [+5.1, +11.3] | +2.0 [−1.0, +5.0] |"
    ) in page
    assert all(
        "chosen" not in name for grid in grids(strategy_frame(rows)) for name, _ in grid.rows
    )
    assert name_of("chosen", "weighted_vote/whole") == (
        "chosen on the other half: weighted vote (whole solution)"
    )
    assert name_of("chosen", "greedy-8", SEARCHES) == (
        "chosen on the other half: step-guided search (greedy-8)"
    )


def test_latex_is_escaped_and_complete() -> None:
    text = strategies_tex([*SOME, metric(benchmark="a_b")], {"judge": "gpt_4 & co"})
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert r"gpt\_4 \& co" in text
    assert r"on a\_b at" in text
    assert "−" not in text and "±" not in text
    assert escape("50 % {x}") == r"50 \% \{x\}"
    for line in text.splitlines():
        if line.endswith(r"\\") and "multicolumn" not in line and "prm-large" in line:
            assert line.count("&") == 3


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (0.5625, False, "56.2"),
        (-0.082, True, "−8.2"),
        (0.0, True, "±0.0"),
        (0.0001, True, "+0.0"),
        (None, True, "–"),
    ],
)
def test_percent(value: float | None, signed: bool, text: str) -> None:
    assert percent(value, signed=signed) == text


def test_interval_without_bounds_is_a_value() -> None:
    assert interval((0.5, None, None)) == "50.0"
    assert interval((None, None, None)) == "–"


def test_names() -> None:
    assert name_of("step_aggregation", "min") == "PRM, steps: minimum"
    assert name_of("weighted_vote", "whole") == "weighted vote (whole solution)"
    assert name_of("brand_new", None) == "brand_new"
    assert key_of("step_aggregation/min") == ("step_aggregation", "min")
    assert key_of("majority") == ("majority", None)


def test_step_page() -> None:
    names = [
        "step_f1",
        "step_f1_right",
        "step_f1_wrong",
        "first_error_f1",
        "first_error_found",
        "no_false_alarm",
    ]
    rows = [metric("verdicts", 1, prm="p", aggregation="half", name=name) for name in names]
    rows.append(metric("verdicts", 1, prm="p", name="auroc", value=0.8, low=0.7, high=0.85))
    page = step_page(rows, {})
    assert "| matrix | small | p | 0.5 | 56.2 [52.0, 60.4] |" in page
    assert "| 80.0 [70.0, 85.0] | – | 500 | 5 |" in page
    assert "## Steps of" not in page
    own = {"strategy": "verdicts/perception", "value": 0.25, "low": 0.2, "high": 0.3}
    whole, part = step_page([*rows, *(row.model_copy(update=own) for row in rows)], {}).split(
        "## Steps of perception"
    )
    assert whole.rstrip() == page.rstrip()
    assert "| matrix | small | p | 0.5 | 25.0 [20.0, 30.0] |" in part
    assert "after an error of perception nothing is known" in part


def test_label_page_adds_up() -> None:
    row = {
        "rollouts": 10,
        "labelled": 8,
        "dropped": 2,
        "all_right": 5,
        "error_in_perception": 2,
        "error_in_reasoning": 1,
        "error_in_solution": 0,
        "steps_plus": 30,
        "steps_minus": 10,
        "steps_masked": 0,
    }
    page = label_page(pl.DataFrame([{"source": "a"} | row, {"source": "b"} | row]), {})
    assert "| a | 10 | 8 | 2 | 5 | 2 | 1 | 0 | 30 | 10 | 0 | 25.0 % |" in page
    assert "| all | 20 | 16 | 4 | 10 | 4 | 2 | 0 | 60 | 20 | 0 | 25.0 % |" in page
