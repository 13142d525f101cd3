"""Step and first-error F1, calibration and label statistics, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from vlprm.config.evaluation import MetricsConfig
from vlprm.io.tables import schema_of
from vlprm.metrics.calibration import (
    CalibrationBin,
    auroc,
    calibration_bins,
    calibration_error,
    calibration_metrics,
    known_steps,
    wilson,
)
from vlprm.metrics.label_statistics import label_statistics
from vlprm.metrics.step_f1 import Judged, confusion, first_error, judged_steps, step_metrics
from vlprm.records import Record, Rollout, Section, Step, StepLabel, StepScore, Verdict

CONFIG = MetricsConfig(
    resamples=200, confidence=0.95, seed=1, thresholds=("half", "tuned"), calibration_bins=4
)
JUDGED = [
    Judged("a#000", (0.9, 0.2, 0.1), 1),  # found exactly
    Judged("a#001", (0.4, 0.9), 1),  # flagged too early, error missed
    Judged("b#000", (0.9, 0.8), None),  # quiet
    Judged("b#001", (0.9, 0.3), None),  # false alarm
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
    missed = [Judged("a#000", (0.9,), 0), Judged("b#000", (0.9,), None)]
    values = {
        m.name: m.value
        for m in step_metrics("m", "p", "x", ["a", "b"], missed, n_unjudged=0, config=CONFIG)
        if m.aggregation == "half"
    }
    assert values["first_error_f1"] == 0.0
    clean = step_metrics("m", "p", "x", ["b"], missed[1:], n_unjudged=0, config=CONFIG)
    assert {m.name: m.value for m in clean}["first_error_f1"] is None


def test_tuned_threshold_comes_from_the_other_half_and_helps() -> None:
    # a PRM that is right in order, with everything above one half
    names = [f"q{i}" for i in range(40)]
    judged = [
        Judged(f"{q}#000", (0.95, 0.7), 1 if i % 2 else None)
        if i % 2
        else Judged(f"{q}#000", (0.95, 0.9), None)
        for i, q in enumerate(names)
    ]
    values = {
        (m.aggregation, m.name): m.value
        for m in step_metrics("m", "p", "x", names, judged, n_unjudged=0, config=CONFIG)
    }
    assert values["half", "first_error_f1"] == 0.0
    assert values["tuned", "first_error_f1"] == 1.0


def test_join_leaves_out_what_cannot_be_used() -> None:
    scores = [score("a#0", 0, 0.0), score("a#0", 1, 1.0), score("a#0", -1, 5.0), score("b#0", 0, 0)]
    verdicts = [
        verdict("a#0", 1),
        verdict("b#0", None, "unparsed"),
        verdict("c#0", 0),
        verdict("b#0", 4),
    ]
    (only,) = judged_steps(scores, verdicts)
    assert only.first_error == 1
    assert only.plus == pytest.approx((0.5, 0.7310585786))
    assert judged_steps([score("a#0", 0, -800.0)], [verdict("a#0", 0)])[0].plus == (0.0,)


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


def bins(judged: list[Judged], count: int = 4) -> list[CalibrationBin]:
    return calibration_bins("m", "p", "x", judged, bins=count, confidence=0.95)


def test_calibration() -> None:
    plus, right = known_steps(JUDGED)
    assert (len(plus), sum(right)) == (8, 6)
    table = bins(JUDGED)
    assert [item.n for item in table] == [1, 2, 0, 5]
    assert [item.share_right for item in table] == [0.0, 1.0, None, 0.8]
    error = (0.2 * 1 + (1 - 0.35) * 2 + (0.88 - 0.8) * 5) / 8
    assert calibration_error(table) == pytest.approx(error)
    # right .9 .4 .9 .8 .9 .3 against wrong .2 .9
    assert auroc(JUDGED) == pytest.approx((6 + 1.5) / 12)
    assert auroc(JUDGED[2:]) is None
    assert calibration_error(bins([])) is None
    values = {m.name: m.value for m in calibration_metrics(table, JUDGED, n_unjudged=0)}
    assert values == {"calibration_error": pytest.approx(error), "auroc": pytest.approx(0.625)}


def test_perfectly_calibrated_scores_have_no_error() -> None:
    generator = np.random.default_rng(0)
    plus = generator.random(20000)
    judged = [
        Judged(f"{i}#0", (float(p),), None if generator.random() < p else 0)
        for i, p in enumerate(plus)
    ]
    error = calibration_error(bins(judged, 10))
    assert error is not None and error < 0.02


def test_wilson_against_a_known_value() -> None:
    assert wilson(8, 10, 0.95) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(0, 5, 0.95)[0] == 0.0


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
