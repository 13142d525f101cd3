"""The best of many rows: chosen on one half, reported on the other, without luck."""

from __future__ import annotations

import numpy as np

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.accuracy import accuracy_metrics
from vlprm.metrics.chosen import chosen_name, chosen_rows
from vlprm.metrics.halves import half_of
from vlprm.metrics.rows import Row, Values
from vlprm.records import Grade, Selection

CONFIG = MetricsConfig(
    resamples=100, confidence=0.95, seed=1, thresholds=("half",), calibration_bins=10
)
IDS = [f"q{i}" for i in range(200)]
FIRST = np.array([half_of(CONFIG.seed, name) == 0 for name in IDS])


def values(first: float, second: float) -> Values:
    """Accuracy on the choosing and on the reporting half."""
    return Values(np.where(FIRST, first, second), 0.0)


def test_halves_are_seeded_and_about_equal() -> None:
    assert 70 < FIRST.sum() < 130
    assert [half_of(2, name) for name in IDS] != [half_of(1, name) for name in IDS]


def test_the_other_half_has_no_say() -> None:
    rows: dict[Row, Values] = {
        (None, "majority", None, 4): values(1.0, 1.0),  # asks no PRM
        ("a", "step_aggregation", "min", 4): values(0.6, 0.9),
        ("b", "step_aggregation", "mean", 4): values(0.7, 0.2),
        ("b", "weighted_vote", "min", 4): values(0.7, 0.9),  # equal, but later
        ("a", "best_of_n_orm", None, 1): values(0.9, 0.9),  # pass@1
        ("a", "best_of_n_orm", None, 2): Values(np.full(200, np.nan), 0.0),
    }
    chosen, reporting = chosen_rows(IDS, rows, CONFIG)
    assert chosen == {4: ("b", "step_aggregation", "mean", 4)}
    assert (reporting == ~FIRST).all()
    assert chosen_name(chosen[4]) == ("b", "chosen", "step_aggregation/mean", 4)
    assert chosen_name(("a", "best_of_n_orm", None, 4)) == ("a", "chosen", "best_of_n_orm", 4)
    assert chosen_rows(IDS[:1], {}, CONFIG)[0] == {}


def test_best_of_many_worthless_rows_gains_nothing_but_luck() -> None:
    """Forty PRMs that pick at random: the best shows a gain, the chosen one's interval holds 0."""
    generator = np.random.default_rng(0)
    truth = generator.random((200, 2)) < 0.5
    grades = [
        Grade(rollout_id=f"{name}/p#{i}", correct=bool(truth[at, i]), method="text")
        for at, name in enumerate(IDS) for i in range(2)
    ]  # fmt: skip
    picks = [
        Selection(
            sample_id=name, prm=f"prm-{number}", strategy="best_of_n_orm", aggregation=None,
            n=2, draw=0, rollout_id=f"{name}/p#{generator.integers(2)}",
        )
        for number in range(40) for name in IDS
    ]  # fmt: skip
    metrics = accuracy_metrics("m", "p", IDS, grades, picks, config=CONFIG)
    gains = {m.strategy: [] for m in metrics}  # type: dict[str, list[float]]
    for metric in metrics:
        gains[metric.strategy].append(metric.delta or 0.0)
    chosen = next(m for m in metrics if m.strategy == "chosen")
    assert max(gains["best_of_n_orm"]) > 0.04
    assert chosen.n_samples == (~FIRST).sum()
    assert chosen.delta is not None and chosen.delta < 0.04
    assert chosen.delta_low is not None and chosen.delta_low < 0
