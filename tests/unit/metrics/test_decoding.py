"""Decoding noise: as large as what a second run over the same questions shows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.accuracy import accuracy_metrics
from vlprm.metrics.decoding import Draws, of_candidates, of_draws
from vlprm.metrics.rows import Row, Values
from vlprm.records import NOISE_ONE, NOISE_OWN, Grade, Selection

PICKS = {
    "prm": pl.String,
    "strategy": pl.String,
    "aggregation": pl.String,
    "n": pl.Int64,
    "sample_id": pl.String,
    "draw": pl.Int64,
    "correct": pl.Boolean,
}
ROW: Row = ("prm", "best_of_n_orm", None, 8)
WHOLE: Row = ("prm", "best_of_n_orm", None, 16)
DRAWS = Draws(16, {8: [(0, 1)], 16: []})


def test_pass_at_1_by_hand() -> None:
    noise = of_candidates(np.array([[4, 2], [4, 4], [1, 1]]))
    # 2 * 2 / (4 * 3) and 0; the third question has no second answer
    assert noise.one == pytest.approx((1 / 3 / 2 / 2) ** 0.5)
    assert noise.own == pytest.approx((1 / 3 / 4 / 2 / 2) ** 0.5)
    assert np.isnan(of_candidates(np.array([[1, 1]])).one)


def test_noise_is_that_of_runs_over_the_same_questions() -> None:
    generator = np.random.default_rng(0)
    chance = generator.beta(1, 1, size=400)
    again = generator.binomial(1, chance, size=(3000, 400)).mean(axis=1).std()
    right = generator.binomial(16, chance)
    noise = of_candidates(np.stack([np.full(400, 16), right], axis=1))
    assert noise.one == pytest.approx(again, rel=0.05)
    assert noise.own == pytest.approx(again / 4, rel=0.05)
    # question noise, which does not tell two such runs apart, is larger
    assert chance.std() / 20 > 0.6 * noise.one


def picked(chance: list[float], generator: np.random.Generator) -> pl.DataFrame:
    rows = [
        (*ROW, f"q{at}", draw, bool(generator.random() < q))
        for at, q in enumerate(chance) for draw in (0, 1)
    ]  # fmt: skip
    rows += [(*WHOLE, f"q{at}", 0, bool(generator.random() < q)) for at, q in enumerate(chance)]
    return pl.DataFrame(rows, schema=PICKS, orient="row")


def test_noise_of_draws_and_of_the_whole() -> None:
    generator = np.random.default_rng(1)
    chance = generator.beta(1, 1, size=2000)
    truth = float(np.sqrt((chance * (1 - chance)).mean() / 2000))
    rows = {ROW: Values(chance, 0.0), WHOLE: Values(chance, 0.0)}
    found = of_draws(picked(chance.tolist(), generator), rows, DRAWS)
    assert found[ROW].one == pytest.approx(truth, rel=0.06)
    assert found[ROW].own == pytest.approx(found[ROW].one / 2**0.5)
    # no second draw of all sixteen: the share of a (1 - a) is taken over, nothing is averaged
    assert found[WHOLE].one == pytest.approx(found[ROW].one, rel=0.03)
    assert found[WHOLE].own == found[WHOLE].one


def test_without_disjoint_draws_there_is_no_noise() -> None:
    generator = np.random.default_rng(1)
    rows = {ROW: Values(np.full(5, 0.5), 0.0)}
    assert of_draws(picked([0.5] * 5, generator), rows, Draws(8, {8: []})) == {}


def test_metrics_hold_the_noise_of_every_row() -> None:
    grades = [
        Grade(rollout_id=f"{q}/p#{i}", correct=i % 2 == 0, method="text")
        for q in "ab"
        for i in range(4)
    ]
    picks = [
        Selection(
            sample_id=q, prm=None, strategy="majority", aggregation=None, n=2, draw=draw,
            rollout_id=f"{q}/p#{draw}",
        )
        for q in "ab" for draw in (0, 1)
    ]  # fmt: skip
    config = MetricsConfig(
        resamples=100, confidence=0.95, seed=1, thresholds=("half",), calibration_bins=10
    )
    metrics = accuracy_metrics(
        "m", "p", ["a", "b"], grades, picks, config=config, draws=Draws(4, {2: [(0, 1)]})
    )
    found = {(m.strategy, m.name): m.value for m in metrics if m.name in (NOISE_ONE, NOISE_OWN)}
    assert found == {
        ("pass@1", NOISE_ONE): pytest.approx((1 / 3 / 2) ** 0.5),
        ("pass@1", NOISE_OWN): pytest.approx((1 / 3 / 4 / 2) ** 0.5),
        ("majority", NOISE_ONE): pytest.approx((1 / 2 / 2) ** 0.5),
        ("majority", NOISE_OWN): pytest.approx((1 / 2 / 2 / 2) ** 0.5),
    }
