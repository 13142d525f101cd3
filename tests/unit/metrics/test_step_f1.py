"""Step and first-error F1 and label statistics, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pytest

from vlprm.config.evaluation import MetricsConfig
from vlprm.io.parquet import schema_of
from vlprm.metrics.label_statistics import label_statistics
from vlprm.metrics.step_f1 import Judged, confusion, first_error, judged_steps, step_metrics
from vlprm.records import Record, Rollout, Section, Step, StepLabel, StepScore, Verdict

CONFIG = MetricsConfig(
    resamples=200, confidence=0.95, seed=1, thresholds=("half", "tuned"), calibration_bins=4
)
JUDGED = [
    Judged("a/p#000", (0.9, 0.2, 0.1), 1),  # found exactly
    Judged("a/p#001", (0.4, 0.9), 1),  # flagged too early, error missed
    Judged("b/p#000", (0.9, 0.8), None),  # quiet
    Judged("b/p#001", (0.9, 0.3), None),  # false alarm
]


def score(name: str, index: int, margin: float) -> StepScore:
    return StepScore(
        rollout_id=name, step_index=index, logit_plus=margin, logit_minus=0, prompt_tokens=1
    )


def verdict(name: str, first: int | None, status: str = "ok") -> Verdict:
    return Verdict.model_validate(
        {"rollout_id": name, "judge": "t", "first_error": first, "status": status, "raw": ""}
    )


def test_f1_by_hand() -> None:
    metrics = step_metrics("m", "p", "prm", ["a", "b"], JUDGED, n_unjudged=3, config=CONFIG)
    half = {m.name: m for m in metrics if m.aggregation == "half"}
    # known steps: right .9 .4 .9 .8 .9 .3 (4 kept, 2 flagged), wrong .2 .9 (1 flagged, 1 kept)
    assert half["step_f1_right"].value == pytest.approx(8 / 11)
    assert half["step_f1_wrong"].value == pytest.approx(2 / 5)
    assert half["step_f1"].value == pytest.approx((8 / 11 + 2 / 5) / 2)
    assert half["first_error_found"].value == 0.5
    assert half["no_false_alarm"].value == 0.5
    assert half["first_error_f1"].value == 0.5
    assert (half["step_f1"].n_samples, half["step_f1"].n_ungraded) == (4, 3)
    assert {m.aggregation for m in metrics} == {"half", "tuned"}


def test_nothing_found_is_zero_and_no_wrong_solution_is_no_value() -> None:
    missed = [Judged("a/p#000", (0.9,), 0), Judged("b/p#000", (0.9,), None)]
    values = {
        m.name: m.value
        for m in step_metrics("m", "p", "x", ["a", "b"], missed, n_unjudged=0, config=CONFIG)
        if m.aggregation == "half"
    }
    assert values["first_error_f1"] == 0.0
    clean = step_metrics("m", "p", "x", ["b"], missed[1:], n_unjudged=0, config=CONFIG)
    assert {m.name: m.value for m in clean}["first_error_f1"] is None


def test_perfect_scores_have_an_interval_below_one() -> None:
    judged = [Judged(f"q{i}/p#000", (0.9, 0.1), 1) for i in range(30)]
    judged += [Judged(f"q{i}/p#001", (0.9, 0.9), None) for i in range(30)]
    ids = [f"q{i}" for i in range(30)]
    metrics = step_metrics("m", "p", "prm", ids, judged, n_unjudged=0, config=CONFIG)
    for metric in metrics:
        assert (metric.value, metric.high) == (1.0, 1.0), metric.name
        assert metric.low is not None
        assert 0.8 < metric.low < 0.95, metric.name


def test_tuned_threshold_comes_from_the_other_half_and_helps() -> None:
    # a PRM that is right in order, with everything above one half
    names = [f"q{i}" for i in range(40)]
    judged = [
        Judged(f"{q}/p#000", (0.95, 0.7), 1 if i % 2 else None)
        if i % 2
        else Judged(f"{q}/p#000", (0.95, 0.9), None)
        for i, q in enumerate(names)
    ]
    values = {
        (m.aggregation, m.name): m.value
        for m in step_metrics("m", "p", "x", names, judged, n_unjudged=0, config=CONFIG)
    }
    assert values["half", "first_error_f1"] == 0.0
    assert values["tuned", "first_error_f1"] == 1.0


def test_join_leaves_out_what_cannot_be_used() -> None:
    scores = [
        score("a/p#0", 0, 0.0),
        score("a/p#0", 1, 1.0),
        score("a/p#0", -1, 5.0),
        score("b/p#0", 0, 0),
    ]
    verdicts = [
        verdict("a/p#0", 1),
        verdict("b/p#0", None, "unparsed"),
        verdict("c/p#0", 0),
        verdict("b/p#0", 4),
    ]
    (only,) = judged_steps(scores, verdicts)
    assert only.first_error == 1
    assert only.plus == pytest.approx((0.5, 0.7310585786))
    assert judged_steps([score("a/p#0", 0, -800.0)], [verdict("a/p#0", 0)])[0].plus == (0.0,)


def test_first_error_and_confusion() -> None:
    assert first_error((0.9, 0.5, 0.4), 0.5) == 2  # p(+) equal to the threshold is a +
    assert first_error((0.9,), 0.5) is None
    cells = confusion("m", "p", "x", JUDGED)
    assert [(c.truth, c.said, c.count) for c in cells] == [
        (-1, -1, 1),
        (-1, 1, 1),
        (1, 0, 1),
        (1, 1, 1),
    ]


def test_label_statistics() -> None:
    def solution(name: str) -> Rollout:
        sections = (Section.PERCEPTION, Section.REASONING)
        steps = tuple(Step(index=i, section=s, text="", end=i) for i, s in enumerate(sections))
        return Rollout(
            id=name,
            sample_id="q",
            text="",
            steps=steps,
            answer=None,
            finish_reason="stop",
            prompt_tokens=1,
            completion_tokens=1,
            seed=0,
        )

    def label(name: str, index: int, value: int | None) -> StepLabel:
        return StepLabel.model_validate(
            {"rollout_id": name, "step_index": index, "label": value, "rule": "x"}
        )

    labels = [
        label("a", 0, 1),
        label("a", 1, 1),
        label("b", 0, 0),
        label("b", 1, None),
        label("c", 0, 1),
        label("c", 1, 0),
    ]

    def frame(rows: Sequence[Record], record: type[Record]) -> pl.DataFrame:
        table = pa.Table.from_pylist(
            [item.model_dump(mode="json") for item in rows], schema=schema_of(record)
        )
        found = pl.from_arrow(table)
        assert isinstance(found, pl.DataFrame)
        return found

    solutions = [solution(name) for name in "abcd"]
    shards = [
        (frame(solutions[:2], Rollout), frame(labels[:4], StepLabel)),
        (frame(solutions[2:], Rollout), frame(labels[4:], StepLabel)),
    ]
    row = label_statistics("s", shards).model_dump()
    assert row == {
        "source": "s",
        "rollouts": 4,
        "labelled": 3,
        "dropped": 1,
        "all_right": 1,
        "error_in_perception": 1,
        "error_in_reasoning": 1,
        "error_in_solution": 0,
        "steps_plus": 3,
        "steps_minus": 2,
        "steps_masked": 1,
    }
