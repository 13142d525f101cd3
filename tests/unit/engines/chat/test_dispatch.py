"""Several endpoints as one judge: failures waited out, bad input told before money is spent."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import pytest

from tests.unit.loopback import Client, looped
from vlprm.config.access import Access, Endpoint, Price
from vlprm.config.labels import JudgeConfig
from vlprm.engines.chat import dispatch
from vlprm.engines.judges import ChatJudge
from vlprm.errors import UserError
from vlprm.io.images import ImageStore
from vlprm.ledger.account import read_bill
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import ImageRef, Message, Sample

KINDS = ("ok", "429", "429after", "500", "503", "reset", "truncated", "model", "filter", "length")
PRICE = Price(input=1.0, output=4.0, currency="USD")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "FIRST_WAIT_S", 0.01)
    monkeypatch.setenv("GOOD_KEY", "secret-key")
    monkeypatch.setenv("OTHER_KEY", "secret-too")
    monkeypatch.setenv("BAD_KEY", "wrong")


def requests(count: int, images: tuple[ImageRef, ...] = ()) -> list[JudgeRequest]:
    sample = Sample(id="q", question="?", images=images, answer="4", answer_type="integer")
    return [
        JudgeRequest(
            f"q#{item}", sample, (),
            (Message(role="user", text=f"Check number {item}.", images=images),),
        )
        for item in range(count)
    ]  # fmt: skip


def judged(count: int, access: Access, **settings: Any) -> dict[int, JudgeReply]:
    yes = settings.pop("yes", False)
    config = JudgeConfig(
        name="j", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=50,
        **{"concurrency": 8, "timeout_seconds": 60, **settings},
    )  # fmt: skip
    found = list(ChatJudge(config, ImageStore(), access, yes=yes).judge(requests(count)))
    assert len(dict(found)) == len(found), "nobody is answered twice"
    return dict(found)


def at(server: Client, *names: str, **more: Any) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(base_url=server.endpoint(name), **more) for name in names)


def test_faults_pass_and_every_request_is_answered_once() -> None:
    def schedule(item: int, number: int, body: dict[str, Any]) -> str:
        kind = KINDS[item % len(KINDS)]
        return kind if number <= 2 or kind in ("filter", "length") else "ok"

    with looped(schedule) as server:
        found = judged(40, Access(endpoints=at(server, "a", "b")))
        calls = server.record()
    statuses = collections.Counter(reply.status for reply in found.values())
    assert statuses == {"ok": 32, "refused": 4, "cut": 4}
    assert len(calls) == 40 + 2 * 4 * 7
    assert {call["endpoint"] for call in calls} == {"a", "b"}


def test_a_request_that_fails_always_has_its_reason() -> None:
    with looped(lambda item, number, body: "500" if item == 3 else "ok") as server:
        found = judged(9, Access(endpoints=at(server, "a", "b")))
        assert sum(call["item"] == 3 for call in server.record()) == dispatch.TRIES
    assert (found[3].status, found[3].error) == ("error", "InternalServerError")
    assert sum(reply.status == "ok" for reply in found.values()) == 8


def test_a_trickle_is_late_and_asked_again_where_that_is_said() -> None:
    kind = {1: "trickle"}
    with looped(lambda item, number, body: kind.get(number, "ok")) as server:
        access = Access(endpoints=at(server, "a"), late_tries=2)
        found = judged(2, access, timeout_seconds=4)
    assert [reply.status for reply in found.values()] == ["ok", "ok"]


def test_azure_is_asked_by_its_deployment() -> None:
    with looped(keys=("secret-key",)) as server:
        azure = Endpoint(
            kind="azure", base_url=server.url, api_version="2024-10-21", deployment="mine",
            key_env="GOOD_KEY", model=None,
        )  # fmt: skip
        with pytest.raises(UserError, match="answers 401") as told:
            wrong = azure.model_copy(update={"key_env": "BAD_KEY"})
            judged(3, Access(endpoints=(wrong,)))
        assert "BAD_KEY" in str(told.value)
        found = judged(3, Access(endpoints=(azure,)))
        assert all(call["endpoint"] == "openai" for call in server.record())
    assert [reply.status for reply in found.values()] == ["ok"] * 3


def test_a_wrong_key_a_model_that_lacks_and_a_dead_address_stop_before_the_first_call() -> None:
    with looped(keys=("secret-key",), models=("x", "y")) as server:
        good = at(server, "a", key_env="GOOD_KEY", model="x")
        for wrong, what in (
            (at(server, "b", key_env="BAD_KEY"), "answers 401"),
            (at(server, "b", key_env="GOOD_KEY"), "has no model 'm'"),
            ((Endpoint(base_url="http://127.0.0.1:9/v1"),), "nobody answers at"),
        ):
            with pytest.raises(UserError, match=what) as told:
                judged(5, Access(endpoints=good + wrong))
            assert "secret-key" not in str(told.value)
            assert "wrong" not in str(told.value).replace("wrong step", "")
        assert server.record() == []


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_key_that_is_refused_later_stops_the_run_and_what_is_under_way_is_kept(
    concurrency: int,
) -> None:
    with looped(lambda item, number, body: "401" if item == 4 else "ok") as server:
        config = JudgeConfig(
            name="j", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=50,
            base_url=server.endpoint("a"), concurrency=concurrency,
        )  # fmt: skip
        kept = []
        with pytest.raises(UserError, match="answers 401"):
            for place, _ in ChatJudge(config, ImageStore()).judge(requests(5)):
                kept.append(place)
        assert sorted(kept) == [0, 1, 2, 3]


def test_keys_and_limits_are_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    where = {"base_url": "http://127.0.0.1:9/v1"}
    one = Endpoint(**where, key_env="GOOD_KEY")
    monkeypatch.setenv("SAME_KEY", "secret-key")
    monkeypatch.delenv("NO_KEY", raising=False)
    for access, what in (
        (Access(endpoints=(Endpoint(**where, key_env="NO_KEY"),)), "NO_KEY is not set"),
        (Access(endpoints=(one, Endpoint(**where, key_env="SAME_KEY"))), "are one endpoint"),
        (Access(endpoints=(Endpoint(**where, tokens_per_minute=50),)), "one reply may have 50"),
        (Access(), "no address is given"),
    ):
        with pytest.raises(UserError, match=what):
            judged(1, access)


def test_money_is_asked_for_counted_and_kept_to(tmp_path: Path) -> None:
    account = {"account": str(tmp_path / "accounts.sqlite"), "bill": "j"}
    with looped() as server:
        endpoints = at(server, "a")
        with pytest.raises(UserError, match="calls to m cost money, and no budget is given"):
            judged(4, Access(endpoints=endpoints, price=PRICE, **account))
        with pytest.raises(UserError, match="there is a budget, and no price of m"):
            judged(4, Access(endpoints=endpoints, budget=5.0))
        small = Access(endpoints=endpoints, price=PRICE, budget=0.0001, **account)
        with pytest.raises(UserError, match=r"labels.judge.budget: the budget of 0.00 USD does"):
            judged(4, small)
        assert server.record() == []
        judged(4, Access(endpoints=endpoints, price=PRICE, **account), yes=True)
        bill = read_bill(tmp_path / "accounts.sqlite", "j")
        calls = server.record()
        assert (bill.calls, bill.reply) == (4, 200)
        assert bill.spent == pytest.approx(PRICE.of(bill.prompt, bill.reply))
        # room for some calls more, not for all: these are made, then the run stops
        budget = bill.spent + 0.0007
        tight = Access(endpoints=endpoints, price=PRICE, budget=budget, **account)
        config = {"concurrency": 1}
        with pytest.raises(UserError, match="calls still to be made"):
            judged(9, tight, **config)
        assert len(calls) < len(server.record()) < len(calls) + 9
        assert read_bill(tmp_path / "accounts.sqlite", "j").spent <= budget


def test_an_image_that_cannot_be_read_is_told_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, ref = ImageStore(), ImageRef(sha256="0" * 64, width=9, height=9)

    def damaged(ref: ImageRef) -> None:
        raise OSError("broken PNG file")

    monkeypatch.setattr(store, "open", damaged)
    config = JudgeConfig(
        name="j", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=50,
        base_url="http://127.0.0.1:9/v1", concurrency=1,
    )  # fmt: skip
    with pytest.raises(UserError, match="of q cannot be read \\(broken PNG file\\)"):
        list(ChatJudge(config, store).judge(requests(2, (ref,))))
