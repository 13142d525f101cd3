"""Accuracy: pass@1, oracle, ungraded picks, deltas; laws that must hold on any data."""

from __future__ import annotations

import random
from itertools import combinations
from math import isnan

import pytest

from vlprm.config.evaluation import EvaluationConfig, MetricsConfig
from vlprm.errors import UserError
from vlprm.metrics.accuracy import accuracy_metrics, pass_at_k
from vlprm.records import CHOSEN, OVER_MAJORITY, Grade, Metric, Rollout, Selection
from vlprm.selection.select import Candidates, select

CONFIG = MetricsConfig(
    resamples=500, confidence=0.95, seed=1, thresholds=("half",), calibration_bins=10
)
Key = tuple[str | None, str, str | None, int]


def grade(name: str, correct: bool | None) -> Grade:
    return Grade(rollout_id=name, correct=correct, method="text")


def grades(table: dict[str, list[bool | None]]) -> list[Grade]:
    return [grade(f"{q}/p#{i:03d}", c) for q, row in table.items() for i, c in enumerate(row)]


def pick(
    sample: str,
    number: int,
    *,
    strategy: str = "majority",
    n: int = 2,
    draw: int = 0,
    prm: str | None = None,
) -> Selection:
    return Selection(
        sample_id=sample,
        prm=prm,
        strategy=strategy,
        aggregation=None,
        n=n,
        draw=draw,
        rollout_id=f"{sample}/p#{number:03d}",
    )


def rollout(sample: str, number: int) -> Rollout:
    return Rollout(
        id=f"{sample}/p#{number:03d}",
        sample_id=sample,
        text="",
        steps=(),
        answer="x",
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        seed=0,
    )


def rows(metrics: list[Metric], name: str = "accuracy") -> dict[Key, Metric]:
    return {(m.prm, m.strategy, m.aggregation, m.n): m for m in metrics if m.name == name}


TABLE: dict[str, list[bool | None]] = {
    "a": [True, True, False, False],
    "b": [False, False, False, True],
    "c": [None, True, True, None],
    "d": [None, None, None, None],
}


def test_pass_at_1_and_oracle_by_hand() -> None:
    found = rows(
        accuracy_metrics("m", "p", list(TABLE), grades(TABLE), [], config=CONFIG, n=(1, 2, 4))
    )
    first = found[None, "pass@1", None, 1]
    assert first.value == pytest.approx((0.5 + 0.25 + 1.0) / 3)
    assert (first.n_samples, first.n_ungraded) == (4, 1)
    assert (first.delta, first.delta_low, first.delta_high) == (0.0, 0.0, 0.0)
    assert found[None, "oracle", None, 2].value == pytest.approx((5 / 6 + 0.5 + 1.0) / 3)
    assert found[None, "oracle", None, 4].value == 1.0


def test_draws_are_averaged_and_ungraded_picks_left_out() -> None:
    picks = [
        pick("a", 0),
        pick("a", 2, draw=1),
        pick("b", 3),
        pick("b", 3, draw=1),
        pick("c", 0),
        pick("c", 1, draw=1),
        pick("d", 0),
        pick("d", 1, draw=1),
    ]
    found = rows(accuracy_metrics("m", "p", list(TABLE), grades(TABLE), picks, config=CONFIG))
    row = found[None, "majority", None, 2]
    assert row.value == pytest.approx((0.5 + 1.0 + 1.0) / 3)
    assert (row.n_samples, row.n_ungraded) == (4, 1)
    assert row.delta == pytest.approx((0.0 + 0.75 + 0.0) / 3)


def cut(name: str) -> Grade:
    return Grade(rollout_id=name, correct=None, method="text", reason="cut at max_tokens")


def failed(name: str) -> Grade:
    return Grade(rollout_id=name, correct=None, method="text", reason="generation failed")


@pytest.mark.parametrize(
    ("rule", "passed", "majority", "delta", "ungraded"),
    [
        ("wrong", (0.5 + 0.5 + 1.0) / 3, (1.0 + 0.0) / 2, (0.5 - 0.5) / 2, 1),
        ("left_out", (0.5 + 1.0 + 1.0) / 3, 1.0, 0.5, 2),
    ],
)
def test_cut_solutions_count_as_the_rule_says_and_failed_ones_never(
    rule: str, passed: float, majority: float, delta: float, ungraded: int
) -> None:
    known = [grade("a/p#0", True), grade("a/p#1", False), grade("b/p#0", True), cut("b/p#1")]
    known += [failed("c/p#0"), grade("c/p#1", True)]
    picks = [pick("a", 0), pick("b", 1), pick("c", 0)]
    picks = [p.model_copy(update={"rollout_id": p.rollout_id.replace("#00", "#")}) for p in picks]
    config = CONFIG.model_copy(update={"unfinished": rule})
    found = rows(accuracy_metrics("m", "p", ["a", "b", "c"], known, picks, config=config))
    first, row = found[None, "pass@1", None, 1], found[None, "majority", None, 2]
    assert first.value == pytest.approx(passed)
    assert first.unfinished == pytest.approx(1 / 6)
    assert row.value == pytest.approx(majority)
    assert row.delta == pytest.approx(delta)  # over the questions that both have
    assert row.unfinished == pytest.approx(1 / 3)  # whatever it counts as
    assert row.n_ungraded == ungraded


def test_difference_to_majority_of_the_same_n() -> None:
    table: dict[str, list[bool | None]] = {q: [True, False] for q in "abcd"}
    picks = [pick(q, 1, n=n) for q in table for n in (2, 3)]
    picks += [
        pick(q, 0, strategy="best_of_n_orm", prm="prm", n=n) for q in table for n in (1, 2, 3)
    ]
    metrics = accuracy_metrics("m", "p", list(table), grades(table), picks, config=CONFIG)
    found = rows(metrics, OVER_MAJORITY)
    # two votes agree or tie, so there is no majority to compare with
    assert [key for key in found if key[1] != CHOSEN] == [("prm", "best_of_n_orm", None, 3)]
    only = found["prm", "best_of_n_orm", None, 3]
    assert (only.value, only.high, only.delta) == (1.0, 1.0, None)
    assert only.low == pytest.approx(0.0702686)  # four pairs: Bonett and Price by hand


def test_searches_are_rows_of_their_own_names_paired_with_pass_at_1() -> None:
    table: dict[str, list[bool | None]] = {q: [True, False] for q in "ab"}
    solutions = [rollout(q, 0) for q in "ab"]
    searched = {
        ("prm", "greedy-8", 8): (solutions, [grade("a/p#000", True), grade("b/p#000", None)]),
        ("prm", "beam-2x4", 8): (solutions, [grade("a/p#000", True), grade("b/p#000", False)]),
    }
    found = rows(
        accuracy_metrics("m", "p", ["a", "b"], grades(table), [], config=CONFIG, searched=searched)
    )
    row = found["prm", "greedy-8", None, 8]
    assert (row.value, row.n_ungraded, row.delta) == (1.0, 1, 0.5)
    row = found["prm", "beam-2x4", None, 8]
    assert (row.value, row.n_ungraded, row.delta) == (0.5, 0, 0.0)


def test_random_equals_pass_at_1_in_expectation_and_pass_at_1_does_not_depend_on_n() -> None:
    generator = random.Random(0)
    table: dict[str, list[bool | None]] = {}
    table |= {f"q{i}": [generator.random() < 0.4 for _ in range(8)] for i in range(60)}
    questions = [Candidates(q, tuple(rollout(q, i) for i in range(8)), ("x",) * 8) for q in table]
    values = []
    for n in ((1,), (1, 2, 4, 8)):
        chosen = EvaluationConfig(
            candidates=8,
            n=n,
            draws=8,
            strategies=("random", "first"),
            aggregations=(),
            vote_weights=(),
            deduplicate=False,
            unfinished_compete=False,
        )
        picks = select(questions, {}, None, {}, chosen, seed=5)
        found = rows(accuracy_metrics("m", "p", list(table), grades(table), picks, config=CONFIG))
        values.append(found[None, "pass@1", None, 1])
        # eight draws of one of eight candidates see each once
        assert found[None, "random", None, 1].value == values[-1].value
        for row in found.values():
            if row.strategy in {"random", "first"}:
                assert row.value == pytest.approx(values[-1].value, abs=0.08)
    assert values[0] == values[1]


def test_oracle_is_unbiased_monotone_and_bounds_every_strategy() -> None:
    for graded in range(1, 7):
        for right in range(graded + 1):
            truth = [i < right for i in range(graded)]
            values = [pass_at_k(graded, right, k) for k in range(1, 9)]
            assert values == sorted(values)
            for k in range(1, graded + 1):
                sets = list(combinations(truth, k))
                assert values[k - 1] == pytest.approx(sum(map(any, sets)) / len(sets))
    assert isnan(pass_at_k(0, 0, 4))


def test_lost_records_are_named() -> None:
    known = grades({"a": [True]})

    def searched(rollouts: list[Rollout], own: list[Grade]) -> None:
        results = {("prm", "guided_search", 8): (rollouts, own)}
        accuracy_metrics("m", "p", ["a"], known, [], config=CONFIG, searched=results)

    with pytest.raises(UserError, match="p on m: picks of ids that are not there: a/p#007"):
        accuracy_metrics("m", "p", ["a"], known, [pick("a", 7)], config=CONFIG)
    with pytest.raises(UserError, match="ids without graded candidates: b"):
        accuracy_metrics("m", "p", ["a", "b"], known, [], config=CONFIG)
    with pytest.raises(UserError, match="graded candidates of ids that are not there: a"):
        accuracy_metrics("m", "p", ["b"], known, [], config=CONFIG)
    with pytest.raises(
        UserError, match="guided_search of p by prm on m: ids without searched rollouts: a"
    ):
        searched([], [])
    with pytest.raises(UserError, match="searched questions given twice: a"):
        searched([rollout("a", 0), rollout("a", 1)], [])
    with pytest.raises(UserError, match="ids without grades: a/p#000"):
        searched([rollout("a", 0)], [])
    with pytest.raises(UserError, match="graded candidates given twice: a/a/p#000"):
        accuracy_metrics("m", "p", ["a"], [*known, *known], [], config=CONFIG)
