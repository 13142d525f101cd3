"""The paper's values beside ours: overall rows, decoding noise, verdicts that are seldom wrong."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vlprm.pages import paper
from vlprm.pages.paper import (
    BENCHMARKS,
    GUIDED,
    compare,
    comparison_page,
    paper_values,
    verdict,
)
from vlprm.records import NOISE_ONE, NOISE_OWN, Metric


def cell(
    name: str,
    value: float,
    *,
    benchmark: str = "mathvista",
    prm: str | None = "vl-prm-7b",
    delta: float | None = None,
) -> Metric:
    """One metric of the 3B policy: pass@1, or the published reward at 16 with a PRM."""
    half = 0.02
    return Metric(
        benchmark=benchmark,
        policy="q3",
        prm=prm,
        strategy="published_reward" if prm else "pass@1",
        aggregation=None,
        n=16 if prm else 1,
        name=name,
        value=value,
        low=value - half,
        high=value + half,
        delta=delta,
        delta_low=None if delta is None else delta - half,
        delta_high=None if delta is None else delta + half,
        n_samples=1000,
        n_ungraded=0,
    )


def of_benchmark(benchmark: str, alone: float, guided: float, noise: float = 0.004) -> list[Metric]:
    return [
        cell("accuracy", alone, benchmark=benchmark, prm=None, delta=0.0),
        cell("accuracy", guided, benchmark=benchmark, delta=guided - alone),
        cell(NOISE_ONE, noise, benchmark=benchmark, prm=None),
        cell(NOISE_OWN, noise / 4, benchmark=benchmark, prm=None),
        cell(NOISE_ONE, noise, benchmark=benchmark),
        cell(NOISE_OWN, noise, benchmark=benchmark),
    ]


NAMES = {"q3": "qwen2.5-vl-3b"}


def test_paper_values_are_consistent_where_not_noted() -> None:
    values = paper_values()
    assert values.height == 14 * 6
    alone = {
        (row["policy"], row["benchmark"]): row["accuracy"]
        for row in values.filter(pl.col("prm").is_null()).iter_rows(named=True)
    }
    for row in values.filter(pl.col("prm").is_not_null()).iter_rows(named=True):
        gain = row["accuracy"] - alone[row["policy"], row["benchmark"]]
        agrees = abs(gain - row["printed_gain"]) < 0.051
        assert agrees == (row["note"] is None), row


def test_verdicts_rest_on_decoding_noise_and_the_margin() -> None:
    # the paper: 60.0 alone, 64.1 with the PRM
    table = compare(of_benchmark("mathvista", 0.604, 0.67), NAMES, margin=2.0)
    alone, guided = table.to_dicts()
    assert (alone["paper"], alone["ours"], alone["verdict"]) == (60.0, 60.4, "agrees")
    assert alone["noise"] == pytest.approx((0.4**2 + 0.1**2) ** 0.5)
    assert (alone["gain"], alone["gain_verdict"]) == (None, None)
    assert (guided["paper"], guided["verdict"]) == (64.1, "differs")
    assert guided["noise"] == pytest.approx(0.4 * 2**0.5)
    assert guided["paper_gain"] == 4.1
    assert guided["gain"] == pytest.approx(6.6)
    assert guided["gain_noise"] == pytest.approx((3 * 0.4**2 + 0.1**2) ** 0.5)
    assert guided["gain_verdict"] == "differs"
    noisy = compare(of_benchmark("mathvista", 0.604, 0.66, 0.014), NAMES, margin=2.0)
    assert noisy["verdict"].to_list() == ["undecided", "undecided"]
    page = comparison_page(table, {}, margin=2.0)
    assert "| 60.0 | 60.4 [58.4, 62.4] | 0.4 | agrees |" in page
    assert "within 2 points" in page
    assert compare(of_benchmark("mathvista", 0.6, 0.6), margin=2.0).is_empty()


def test_a_greedy_search_is_the_papers_guided_search(monkeypatch: pytest.MonkeyPatch) -> None:
    values = paper_values().with_columns(
        strategy=pl.col("strategy").replace("published_reward", GUIDED)
    )
    monkeypatch.setattr(paper, "paper_values", lambda: values)
    some = of_benchmark("mathvista", 0.604, 0.67)
    named = [
        item.model_copy(update={"strategy": name, "value": value})
        for name, value in (("beam-4x4", 0.1), ("greedy-16", 0.65), ("other-16", 0.2))
        for item in some
        if item.prm and item.name == "accuracy"
    ]
    searches = {"other-16": "greedy", "greedy-16": "greedy", "beam-4x4": "beam"}
    table = compare([*some, *named], NAMES, margin=2.0, searches=searches)
    found = table.filter(pl.col("strategy") == GUIDED)
    assert found["ours"].to_list() == [65.0], "the first greedy one of this n; never beam search"


def test_without_noise_there_is_no_verdict() -> None:
    known = [m for m in of_benchmark("mathvista", 0.6, 0.64) if m.name == "accuracy"]
    table = compare(known, NAMES, margin=2.0)
    assert table["verdict"].to_list() == [None, None]
    assert table["noise"].to_list() == [None, None]
    assert "|  |  |" in comparison_page(table, {}, margin=2.0)


def test_overall_is_the_mean_of_all_five_and_of_nothing_less() -> None:
    values = dict(zip(BENCHMARKS, (0.51, 0.35, 0.25, 0.60, 0.22), strict=True))
    some = [m for name, v in values.items() for m in of_benchmark(name, v, v + 0.04)]
    table = compare(some, NAMES, margin=2.0)
    assert table.height == 12
    alone, guided = table.filter(pl.col("benchmark") == "overall").to_dicts()
    assert alone["ours"] == pytest.approx(100 * sum(values.values()) / 5)
    assert alone["high"] - alone["ours"] == pytest.approx(2 / 5**0.5)
    assert alone["noise"] == pytest.approx((0.4**2 + 0.1**2) ** 0.5 / 5**0.5)
    assert (alone["paper"], alone["verdict"]) == (38.6, "agrees")
    assert (guided["paper_gain"], guided["gain"]) == (4.0, pytest.approx(4.0))
    assert guided["gain_verdict"] == "agrees"
    fewer = compare([m for m in some if m.benchmark != "mmmu"], NAMES, margin=2.0)
    assert fewer.filter(pl.col("benchmark") == "overall").is_empty()
    lost = [m for m in some if (m.benchmark, m.name, m.prm) != ("mmmu", NOISE_ONE, None)]
    assert compare(lost, NAMES, margin=2.0).filter(benchmark="overall")["verdict"][0] is None


@pytest.mark.parametrize("noise", [0.2, 0.6, 1.0, 1.4])
def test_a_true_difference_of_the_margin_seldom_agrees(noise: float) -> None:
    generator = np.random.default_rng(7)
    apart = [verdict(2.0 + noise * e, noise, 2.0) for e in generator.normal(size=4000)]
    assert apart.count("agrees") / 4000 < 0.06
    same = [verdict(noise * e, noise, 2.0) for e in generator.normal(size=4000)]
    assert same.count("differs") / 4000 < 0.06
    if noise < 0.5:
        assert same.count("agrees") / 4000 > 0.95
