"""Calibration and AUROC by hand; intervals over questions, whose steps are not independent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.calibration import (
    CalibrationBin,
    KnownSteps,
    auroc,
    calibration_bins,
    calibration_error,
    calibration_metrics,
    known_steps,
)
from vlprm.metrics.step_f1 import Judged

CONFIG = MetricsConfig(
    resamples=300, confidence=0.95, seed=1, thresholds=("half",), calibration_bins=4
)
JUDGED = [
    Judged("a/p#000", (0.9, 0.2, 0.1), 1),
    Judged("a/p#001", (0.4, 0.9), 1),
    Judged("b/p#000", (0.9, 0.8), None),
    Judged("b/p#001", (0.9, 0.3), None),
]


def bins(steps: KnownSteps, count: int = 4) -> list[CalibrationBin]:
    return calibration_bins("m", "p", "x", steps, bins=count, confidence=0.95)


def test_by_hand() -> None:
    steps = known_steps(JUDGED)
    assert (len(steps.plus), steps.right.sum(), steps.questions) == (8, 6, 2)
    table, metrics = calibration_metrics("m", "p", "x", JUDGED, n_unjudged=3, config=CONFIG)
    assert [item.n for item in table] == [1, 2, 0, 5]
    assert [item.questions for item in table] == [1, 2, 0, 2]
    assert [item.share_right for item in table] == [0.0, 1.0, None, 0.8]
    assert table[2].share_low is None
    error = (0.2 * 1 + (1 - 0.35) * 2 + (0.88 - 0.8) * 5) / 8
    values = {m.name: m.value for m in metrics}
    # right .9 .4 .9 .8 .9 .3 against wrong .2 .9
    assert values == {"calibration_error": pytest.approx(error), "auroc": pytest.approx(7.5 / 12)}
    for metric in metrics:
        assert metric.low is not None and metric.high is not None and metric.value is not None
        assert 0 <= metric.low <= metric.value <= metric.high <= 1


def test_nothing_to_tell_apart_is_no_value() -> None:
    table, metrics = calibration_metrics("m", "p", "x", [], n_unjudged=0, config=CONFIG)
    assert [item.share_right for item in table] == [None] * 4
    assert [(m.value, m.low, m.high) for m in metrics] == [(None, None, None)] * 2
    assert np.isnan(auroc(known_steps(JUDGED[2:]), 0.95)).all()  # no wrong step


def test_perfectly_calibrated_scores_have_no_error() -> None:
    generator = np.random.default_rng(0)
    plus = generator.random(20000)
    steps = KnownSteps(plus, generator.random(20000) < plus, np.arange(20000), 20000)
    value, low, high = calibration_error(steps, 10, CONFIG, "m")
    assert value < 0.02
    assert low == 0.0
    assert value < high < 0.03


def test_perfect_order_is_not_certain() -> None:
    judged = [Judged(f"q{i}/p#0", (0.9, 0.1), 1) for i in range(40)]
    value, low, high = auroc(known_steps(judged), 0.95)
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(0.025 ** (1 / 40))


def test_bars_do_not_count_steps_of_one_question_as_independent() -> None:
    # all ten steps of a question share their truth
    right = np.repeat(np.arange(50) < 40, 10)
    whole = KnownSteps(np.full(500, 0.8), right, np.repeat(np.arange(50), 10), 50)
    apart = KnownSteps(np.full(500, 0.8), right, np.arange(500), 500)
    clustered, independent = bins(whole)[3], bins(apart)[3]
    assert clustered.share_right == independent.share_right == 0.8
    widths = [
        float(item.share_high or 0) - float(item.share_low or 0)
        for item in (clustered, independent)
    ]
    assert widths[0] > 2.5 * widths[1]


def simulated(questions: int, generator: np.random.Generator) -> KnownSteps:
    """Steps whose scores and truths both depend on their question."""
    size = (questions, 16)
    plus = expit(generator.normal(1, 1.5, size) + generator.normal(size=(questions, 1)))
    latent = np.sqrt(0.4) * generator.normal(size=(questions, 1))
    latent = ndtr(latent + np.sqrt(0.6) * generator.normal(size=size))
    truth = np.clip(plus - 1.2 * plus * (1 - plus), 0, 1)
    return KnownSteps(
        plus.ravel(), (latent < truth).ravel(), np.repeat(np.arange(questions), 16), questions
    )


def test_intervals_cover_the_truth() -> None:
    generator = np.random.default_rng(5)
    large = simulated(40_000, generator)
    true_error, true_order = calibration_error(large, 10, CONFIG, "m")[0], auroc(large, 0.95)[0]
    held = np.zeros(2)
    for run in range(100):
        steps = simulated(256, generator)
        _, low, high = calibration_error(steps, 10, CONFIG, f"m{run}")
        _, least, most = auroc(steps, 0.95)
        held += (low <= true_error <= high, least <= true_order <= most)
    assert (held >= 90).all(), held
