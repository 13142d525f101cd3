"""Endpoints and prices: what is refused, and that none of it is in a slice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflow.runs import nano
from vlprm.config.access import Access, Endpoint, Price, per_minute
from vlprm.config.checked import ConfigError, load_config
from vlprm.config.slices import judge

CHAT = {
    "name": "chat", "engine": "api", "prompt": "judge_stepwise_v1", "model": "m", "max_tokens": 8,
    "concurrency": 1,
}  # fmt: skip
HERE = {"base_url": "http://127.0.0.1/v1", "key_env": "KEY"}
AZURE = {"kind": "azure", "base_url": "https://x.openai.azure.com", "key_env": "KEY"}
PRICES = {"m": {"input": 1.1, "output": 4.4, "currency": "USD"}}


def with_judge(prices: Any = None, **more: Any) -> dict[str, Any]:
    config = nano()
    config["labels"]["judge"] = CHAT | more
    return config | ({"prices": prices} if prices is not None else {})


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (with_judge(), "engine api needs base_url"),
        (with_judge(endpoints=[HERE, HERE]), "is listed twice"),
        (with_judge(endpoints=[AZURE]), "kind azure needs api_version, deployment"),
        (with_judge(endpoints=[HERE | {"deployment": "d"}]), "kind openai takes no deployment"),
        (with_judge(endpoints=[HERE | {"base_url": "https://me:pw@host/v1"}]), "holds a user"),
        (with_judge(endpoints=[HERE | {"requests_per_minute": 0}]), "requests_per_minute"),
        (with_judge(endpoints=[HERE], budget=5), "labels.judge.budget: a budget, and 'm' has no"),
        (with_judge({}, endpoints=[HERE]), "labels.judge.model: 'm' has no price in prices"),
        (with_judge({"m": {"input": 1}}, endpoints=[HERE]), "prices.m.output: missing"),
        (with_judge(PRICES, endpoints=[HERE], budget="much"), "labels.judge.budget"),
    ],
)
def test_refused(config: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        load_config(config, "x")


def test_access_is_in_no_slice_and_is_handed_on_beside_it() -> None:
    endpoints = [
        HERE | {"requests_per_minute": 60},
        AZURE | {"api_version": "v", "deployment": "d"},
    ]
    more = {"endpoints": endpoints, "budget": 5, "late_tries": 2, "base_url": "http://host/v1"}
    with_access = load_config(with_judge(PRICES, **more), "x")
    without = load_config(with_judge(base_url="http://host/v1"), "x")
    assert judge.of(with_access).model_dump_json() == judge.of(without).model_dump_json()
    assert judge.told(without, "results/nano") == judge.NOTHING
    told = Access.model_validate_json(judge.told(with_access, "results/nano"))
    assert told == judge.access(with_access, "results/nano")
    assert (told.bill, told.account) == ("chat", "results/nano/accounts.sqlite")
    assert told.most == 5
    assert told.price == Price(**PRICES["m"])
    # a slice without endpoints can be read
    only = judge.of(load_config(with_judge(endpoints=endpoints), "x"))
    assert judge.JudgeSlice.model_validate_json(only.model_dump_json()).judge.asked_at == ()


def test_calls_that_endpoints_take_in_a_minute() -> None:
    first = Endpoint(base_url="http://a/v1", requests_per_minute=60, tokens_per_minute=10_000)
    second = Endpoint(base_url="http://b/v1", requests_per_minute=30)
    assert per_minute((first, second), 1000) == 10 + 30
    assert per_minute((first, Endpoint(base_url="http://c/v1")), 1000) is None
    assert per_minute((), 1000) is None
