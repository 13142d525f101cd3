"""Judges side by side: classes, agreement, and whom a filter leaves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vlprm.metrics.judge_agreement import (
    CLASSES,
    UNUSABLE,
    Verdicts,
    kappa,
    pair,
    read_verdicts,
    together,
)

ROLLOUTS = pl.DataFrame(
    {
        "id": [f"s/{k}/p#000" for k in range(5)],
        "sample_id": ["s/0", "s/0", "s/1", "s/2", "s/2"],
        "steps": [[{"section": "perception"}, {"section": "reasoning"}]] * 5,
    }
)


def judge(**said: tuple[int | None, str]) -> pl.DataFrame:
    """Verdicts by the number of the rollout: ``r0=(1, "ok")``."""
    rows = [(f"s/{name[1:]}/p#000", *value) for name, value in said.items()]
    schema = {"rollout_id": pl.String, "first_error": pl.Int64, "status": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


ONE = judge(r0=(None, "ok"), r1=(0, "ok"), r2=(1, "ok"), r3=(0, "ok"), r4=(None, "unparsed"))
# the third verdict is absent, the order another
OTHER = judge(r3=(1, "ok"), r1=(0, "ok"), r0=(None, "ok"), r4=(None, "ok"))
FOUND = read_verdicts(ROLLOUTS, [ONE, OTHER])


def test_classes_and_steps() -> None:
    said = [[CLASSES[code] for code in row] for row in FOUND.classes]
    assert said == [
        ["all_right", "perception", "reasoning", "perception", "unusable"],
        ["all_right", "perception", "unusable", "reasoning", "all_right"],
    ]
    assert FOUND.steps.tolist() == [[-1, 0, 1, 0, -1], [-1, 0, -1, 1, -1]]
    assert FOUND.questions.tolist() == [0, 0, 1, 2, 2]


def test_a_step_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="s/0/p#000"):
        read_verdicts(ROLLOUTS, [judge(r0=(2, "ok"))])


def test_a_pair() -> None:
    row = pair("s", ["a", "b"], FOUND, 0, 1, 0.95)
    assert (row.rollouts, row.both, row.same_conclusion) == (5, 3, 3)
    assert (row.both_wrong, row.same_step, row.earlier, row.later) == (2, 1, 0, 1)
    assert row.agreement == 1.0
    assert row.kappa == 1.0
    assert row.low is not None
    assert 0 < row.low < 1
    back = pair("s", ["a", "b"], FOUND, 1, 0, 0.95)
    assert (back.earlier, back.later) == (1, 0)
    table = np.array(row.confusion).reshape(len(CLASSES), len(CLASSES))
    assert table.sum() == 5
    assert table[0, 0] == table[1, 1] == table[1, 2] == 1
    assert table[2, UNUSABLE] == table[UNUSABLE, 0] == 1
    assert np.array_equal(np.array(back.confusion).reshape(table.shape), table.T)


def test_whom_a_filter_leaves() -> None:
    assert FOUND.left() == {"all": 5, "usable": 3, "same_conclusion": 3, "same_step": 2}
    third = read_verdicts(ROLLOUTS, [ONE, OTHER, judge(r0=(0, "ok"), r1=(0, "ok"))])
    assert third.left() == {"all": 5, "usable": 2, "same_conclusion": 1, "same_step": 1}


def test_two_sources_keep_their_questions_apart() -> None:
    both = together([FOUND, FOUND])
    assert both.questions.tolist() == [0, 0, 1, 2, 2, 3, 3, 4, 5, 5]
    assert both.left() == {name: 2 * n for name, n in FOUND.left().items()}
    empty = Verdicts(np.empty(0, np.int64), np.empty((2, 0), np.int16), np.empty((2, 0), np.int16))
    assert together([empty, FOUND]).questions.tolist() == FOUND.questions.tolist()
    assert pair("s", ["a", "b"], empty, 0, 1, 0.95).agreement is None


@pytest.mark.parametrize(
    ("table", "value"),
    # yes-yes, yes-no, no-yes, no-no: Cohen's formula by hand
    [((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.130434782609), ((5, 0, 0, 0), None),
     ((0, 5, 5, 0), -1.0), ((0, 0, 0, 0), None)],
)  # fmt: skip
def test_kappa(table: tuple[int, int, int, int], value: float | None) -> None:
    one = np.repeat([True, True, False, False], table)
    other = np.repeat([True, False, True, False], table)
    found = kappa(one, other)
    assert found == (None if value is None else pytest.approx(value, abs=1e-9))
