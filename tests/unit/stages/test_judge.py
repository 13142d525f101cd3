"""What a judge is shown: numbered steps, whatever layout the policy writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.unit.endpoint import Answer, serving
from tests.unit.loopback import looped
from tests.unit.puzzles import SPEC, questions
from vlprm.config.access import Access, Endpoint, Price
from vlprm.config.labels import JudgeConfig
from vlprm.config.slices.judge import JudgeSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.protocols import Completion
from vlprm.records import Rollout, Sample, Verdict
from vlprm.solutions.rollouts import to_rollout
from vlprm.sources.matrix import make_puzzle
from vlprm.sources.matrix_text import solution
from vlprm.stages import judge

REPLY = "[Visual Elements]\n<analysis_2>\nwrong\n</analysis_2>\n<conclusion>Incorrect</conclusion>"


NO_ACCESS = Access()


class Shard:
    """Solutions of some questions, and the judge stage on them."""

    def __init__(self, folder: Path, count: int) -> None:
        samples, store = questions(count)
        rollouts = [
            to_rollout(
                sample,
                "small",
                0,
                Completion(solution(make_puzzle(SPEC, 77, index)), "stop", None, 1, 1),
                seed=0,
                layout="blank_lines",
            )
            for index, sample in enumerate(samples)
        ]
        self.folder = folder
        self.files = {name: folder / f"{name}.parquet" for name in ("s", "i", "r", "v")}
        keys = {"dataset": "d", "shard": "000"}
        parquet.write(samples, self.files["s"], Sample, keys=keys)
        store.save(self.files["i"])
        parquet.write(rollouts, self.files["r"], Rollout, keys=keys | {"policy": "small"})

    def judged(self, url: str, access: Access = NO_ACCESS, **settings: Any) -> list[Verdict]:
        config = JudgeConfig(
            name="m", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=99,
            base_url=url, api_key_env="JUDGE_KEY", **{"concurrency": 1, **settings},
        )  # fmt: skip
        files = (self.files[name] for name in "sirv")
        judge.run(
            JudgeSlice(judge=config), *files, timeout_seconds=config.timeout_seconds,
            access=access.model_dump_json(exclude_defaults=True),
        )  # fmt: skip
        return parquet.read(self.files["v"], Verdict)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "secret-key")


def text_of(body: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in body["messages"][0]["content"])


def test_an_api_judge_from_request_to_verdict(tmp_path: Path) -> None:
    shard = Shard(tmp_path, 2)

    def answer(number: int, body: dict[str, Any]) -> Answer:
        # the second solution is refused
        return (200, "content_filter", "") if number == 2 else (200, "stop", REPLY)

    with serving(answer) as endpoint:
        first, second = shard.judged(endpoint.url)
        # what was paid for is not asked again, whatever is changed that decides no answer
        assert shard.judged(endpoint.url, concurrency=2) == [first, second]
        assert len(endpoint.asked) == 2
    assert (first.status, first.first_error) == ("ok", 1)
    assert second.status == "refused"
    parts = endpoint.asked[0]["messages"][0]["content"]
    text = text_of(endpoint.asked[0])
    assert "<step_1>" in text
    assert "[Visual Elements]" in text
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert [url.partition(",")[0] for url in urls] == ["data:image/png;base64"]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret-key" not in written


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_call_that_failed_stays_open_and_alone_is_asked_again(
    tmp_path: Path, status: int
) -> None:
    shard = Shard(tmp_path, 9)

    def answer(number: int, body: dict[str, Any]) -> Answer:
        return (status, "", "busy") if number == 3 else (200, "stop", REPLY)

    with serving(answer) as endpoint:
        with pytest.raises(UserError, match="1 requests have no answer yet: ") as told:
            shard.judged(endpoint.url)
        assert "labels.judge.errors: final" in str(told.value)
        assert not shard.files["v"].exists()
        assert len(endpoint.asked) == 9
        verdicts = shard.judged(endpoint.url)
        assert len(endpoint.asked) == 10
        assert text_of(endpoint.asked[9]) == text_of(endpoint.asked[2])
    assert [item.status for item in verdicts] == ["ok"] * 9


@pytest.mark.parametrize(
    "body", ["<html>log in first", "", "null", "[]", "{}", '{"choices": []}', '{"choices": [{}]}']
)
def test_an_answer_without_a_reply_stays_open(tmp_path: Path, body: str) -> None:
    shard = Shard(tmp_path, 3)
    with serving(lambda n, _: (200, "raw", body) if n == 2 else (200, "stop", REPLY)) as endpoint:
        with pytest.raises(UserError, match="1 requests have no answer yet: "):
            shard.judged(endpoint.url)
        assert [item.status for item in shard.judged(endpoint.url)] == ["ok"] * 3


def test_a_person_may_give_open_calls_up(tmp_path: Path) -> None:
    shard = Shard(tmp_path, 3)

    def answer(number: int, body: dict[str, Any]) -> Answer:
        return (500, "", "no") if number == 3 else (200, "stop", REPLY)

    with serving(answer) as endpoint:
        verdicts = shard.judged(endpoint.url, errors="final")
    assert [(item.status, item.reason) for item in verdicts] == [
        ("ok", None), ("ok", None), ("error", "InternalServerError"),
    ]  # fmt: skip


def test_an_address_that_is_down_is_said_at_once(tmp_path: Path) -> None:
    shard = Shard(tmp_path, 9)
    with serving(lambda number, body: (503, "", "down")) as endpoint:
        with pytest.raises(UserError, match="all 9 requests of batch 1 of 1 failed"):
            shard.judged(endpoint.url, errors="final")
        with pytest.raises(UserError, match="all 9 requests"):
            shard.judged(endpoint.url)
    assert not shard.files["v"].exists()


@pytest.fixture
def forever() -> Iterator[Event]:
    """What an address that hangs waits for; it happens when the test is over."""
    event = Event()
    yield event
    event.set()


@pytest.mark.parametrize(("concurrency", "waves"), [(16, 1), (8, 1), (4, 2)])
def test_an_address_that_hangs_is_told_after_the_first_calls(
    tmp_path: Path, forever: Event, concurrency: int, waves: int
) -> None:
    shard = Shard(tmp_path, 30)
    hanging = {"concurrency": concurrency, "timeout_seconds": 1, "errors": "final"}

    def answer(number: int, body: dict[str, Any]) -> Answer:
        forever.wait(60)
        return 200, "stop", REPLY

    with serving(answer) as endpoint:
        with pytest.raises(UserError, match="all 30 requests of batch 1 of 1 failed") as told:
            shard.judged(endpoint.url, **hanging)
        asked = len(endpoint.asked)
        assert 8 <= asked <= waves * concurrency  # each once
        assert "no answer in time (labels.judge.timeout_seconds)" in str(told.value)
        assert f"none of {asked} calls had one" in str(told.value)
        assert not shard.files["v"].exists()
        endpoint.answer = lambda number, body: (200, "stop", REPLY)
        assert [item.status for item in shard.judged(endpoint.url, **hanging)] == ["ok"] * 30
        assert len({text_of(body) for body in endpoint.asked[asked:]}) == 30


def test_a_call_that_hangs_alone_is_made_once_and_stays_open(
    tmp_path: Path, forever: Event
) -> None:
    shard = Shard(tmp_path, 12)

    def answer(number: int, body: dict[str, Any]) -> Answer:
        if number == 10:
            forever.wait(60)
        return 200, "stop", REPLY

    with serving(answer) as endpoint:
        with pytest.raises(UserError, match="1 requests have no answer yet: ") as told:
            shard.judged(endpoint.url, timeout_seconds=1)
        assert len(endpoint.asked) == 12
        assert "the first: no answer in time (labels.judge.timeout_seconds)" in str(told.value)
        assert [item.status for item in shard.judged(endpoint.url)] == ["ok"] * 12
        assert len(endpoint.asked) == 13


def test_how_long_is_waited_is_no_part_of_the_slice() -> None:
    config = JudgeConfig(name="t", engine="truth", prompt="judge_stepwise_v1", timeout_seconds=5)
    assert "timeout" not in JudgeSlice(judge=config).model_dump_json()


def test_endpoints_move_freely_and_the_bill_is_beside_the_bytes(tmp_path: Path) -> None:
    shard, manifest = Shard(tmp_path, 3), tmp_path / "v.parquet.manifest.json"

    def run(name: str) -> tuple[bytes, bytes]:
        access = Access(
            endpoints=(Endpoint(base_url=server.endpoint(name), key_env="JUDGE_KEY"),),
            price=Price(input=1.0, output=4.0, currency="USD"), budget=1.0, bill="m",
            account=str(tmp_path / "accounts.sqlite"),
        )  # fmt: skip
        shard.judged("http://was.there/v1", access)
        return shard.files["v"].read_bytes(), manifest.read_bytes()

    with looped() as server:
        first = run("a")
        assert run("b") == first
        assert [call["endpoint"] for call in server.record()] == ["a"] * 3
    counts = json.loads(first[1])["counts"]
    assert counts["reply_tokens"] == 150
    assert counts["prompt_tokens"] > 0
    timing = json.loads((tmp_path / "v.parquet.timing.json").read_text())
    assert 0 < timing["notes"]["spent_USD"] < 0.01


def test_access_that_is_none_is_one_message(tmp_path: Path) -> None:
    files = (tmp_path / name for name in "sirv")
    config = JudgeConfig(name="t", engine="truth", prompt="judge_stepwise_v1")
    with pytest.raises(UserError, match="--access: budget"):
        judge.run(JudgeSlice(judge=config), *files, access='{"budget": "much"}')


def test_a_wrong_key_is_one_message(tmp_path: Path) -> None:
    shard = Shard(tmp_path, 5)
    with serving(lambda number, body: (401, "", "who are you?")) as endpoint:
        with pytest.raises(UserError, match="answers 401") as told:
            shard.judged(endpoint.url)
        assert len(endpoint.asked) <= 2
    assert "api_key_env" in str(told.value)


def test_what_asking_again_cannot_mend_is_final(tmp_path: Path) -> None:
    shard = Shard(tmp_path, 3)

    def answer(number: int, body: dict[str, Any]) -> Answer:
        return [(400, "", "image too large"), (200, "length", "[Visual"), (200, "stop", REPLY)][
            number - 1
        ]

    with serving(answer) as endpoint:
        verdicts = shard.judged(endpoint.url)
        assert shard.judged(endpoint.url) == verdicts
        assert len(endpoint.asked) == 3
    assert [item.status for item in verdicts] == ["refused", "unparsed", "ok"]
    assert verdicts[1].reason == "reply cut at max_tokens"


@pytest.mark.parametrize("bad", [("stop", "I cannot say."), ("length", REPLY)])
def test_a_reply_that_cannot_be_read_is_asked_for_again_up_to_the_limit(
    tmp_path: Path, bad: tuple[str, str]
) -> None:
    shard = Shard(tmp_path, 3)
    texts: dict[str, int] = {}

    def answer(number: int, body: dict[str, Any]) -> Answer:
        text = text_of(body)
        texts[text] = texts.get(text, 0) + 1
        place = list(texts).index(text)  # the first is read at once, the second the third time
        return (200, "stop", REPLY) if texts[text] > (0, 2, 9)[place] else (200, *bad)

    with serving(answer) as endpoint:
        verdicts = shard.judged(endpoint.url, attempts=3)
        assert [item.status for item in verdicts] == ["ok", "ok", "unparsed"]
        assert sorted(texts.values()) == [1, 3, 3]
        # every one of these replies is kept: the same verdicts, and nothing is asked again
        assert shard.judged(endpoint.url, attempts=3) == verdicts
        assert len(endpoint.asked) == 7
        fewer = shard.judged(endpoint.url, attempts=1)
        assert [item.status for item in fewer] == ["ok", "unparsed", "unparsed"]
        assert len(endpoint.asked) == 7


def test_a_refusal_is_final(tmp_path: Path) -> None:
    shard = Shard(tmp_path, 1)
    with serving(lambda n, body: (200, "content_filter", "")) as endpoint:
        assert shard.judged(endpoint.url, attempts=3)[0].status == "refused"
        assert len(endpoint.asked) == 1
