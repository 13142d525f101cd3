"""A bill shows its arithmetic, and measured tokens take the place of assumed ones."""

from __future__ import annotations

from vlprm.config.access import Access, Endpoint, Price
from vlprm.config.bill import JudgeBill, Known
from vlprm.config.labels import JudgeConfig
from vlprm.config.speeds import JUDGE_PROMPT_TOKENS, JUDGE_REPLY_TOKENS

PRICE = Price(input=1.0, output=4.0, currency="USD")
WHERE = Endpoint(base_url="http://a/v1", requests_per_minute=60)


def bill(known: Known, budget: float | None = None, concurrency: int = 64) -> JudgeBill:
    config = JudgeConfig(
        name="j", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=8192,
        concurrency=concurrency, endpoints=(WHERE,),
    )  # fmt: skip
    return JudgeBill("j", config, Access(price=PRICE, budget=budget), known)


def test_assumed() -> None:
    found = bill(Known(planned=0, prompt=0, configured=1000))
    assert found.prompt == 1000 * JUDGE_PROMPT_TOKENS
    assert found.money == PRICE.of(1000 * JUDGE_PROMPT_TOKENS, 1000 * JUDGE_REPLY_TOKENS)
    assert found.most == PRICE.of(1000 * JUDGE_PROMPT_TOKENS, 1000 * 8192)
    assert found.minutes[0] == 1000 / 60
    lines = "\n".join(found.lines())
    assert "~1,000" in lines
    assert "no budget: nothing is asked" in lines


def test_from_records_and_from_answers() -> None:
    planned = bill(Known(planned=100, prompt=50_000, configured=100))
    assert planned.prompt == 100_000
    counted = Known(
        planned=100, prompt=50_000, configured=0, answered=10, answered_prompt=7_000,
        answered_reply=9_000, spent=0.1,
    )  # fmt: skip
    found = bill(counted, budget=0.3)
    assert (found.prompt, found.reply_tokens) == (70_000, 900)
    assert not found.enough
    assert "does NOT pay" in "\n".join(found.lines())
    assert bill(counted, budget=1.0).enough


def test_few_at_once_decide_the_time() -> None:
    assert "2 at once" in bill(Known(10, 10.0, 0), concurrency=2).minutes[1]
