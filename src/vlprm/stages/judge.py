"""Verdicts: a judge names the first wrong step of every rollout; its raw reply is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.access import Access, per_minute
from vlprm.config.labels import TIMEOUT_S
from vlprm.config.slices.judge import NOTHING, JudgeSlice
from vlprm.engines.recorded import RecordedJudge
from vlprm.errors import UserError
from vlprm.io import meter, parquet
from vlprm.io.manifest import recorded
from vlprm.io.solved import solved
from vlprm.labels.verdicts import parse_verdict
from vlprm.ledger.account import read_bill
from vlprm.ledger.book import opened
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import Message, Rollout, Sample, Verdict
from vlprm.solutions.steps import shown_to_judge
from vlprm.stages import VERSIONS, Argument, In, Out

ROLLOUTS_PER_BATCH = 256
"""Eight rounds of 32 calls at a time: some minutes of a judge that thinks, and of its price."""


def run(
    config: JudgeSlice,
    samples: In,
    images: In,
    rollouts: In,
    verdicts: Out,
    timeout_seconds: Annotated[
        int, Argument("how long a call to an api judge waits for its answer", least=1)
    ] = TIMEOUT_S,
    access: Annotated[
        str, Argument("endpoints, price and budget of an api judge (JSON); none: its base_url")
    ] = NOTHING,
    yes: Annotated[bool, Argument("ask a judge that costs money without a budget")] = False,
) -> None:
    """Read rollouts, write one verdict each."""
    reached = _access(access)
    judge = config.judge.model_copy(update={"timeout_seconds": timeout_seconds})
    with (
        recorded(
            "judge",
            VERSIONS["judge"],
            config.model_dump(mode="json"),
            inputs=[samples, images, rollouts],
            outputs=[verdicts],
            prompts=sha256_of_all(judge.prompt),
        ) as counts,
        opened(counts, "rollouts") as book,
    ):
        own = solved(samples, rollouts)
        questions, solutions = own.questions, own.solutions
        asking = RecordedJudge(book, judge, images, reached, yes=yes)
        found = book.work(
            chunks(solutions, _batch(reached, judge.max_tokens)),
            lambda batch: fold(config, batch, _asked(config, asking.judge, questions, batch)),
        )
        counts["rollouts"] = len(solutions)
        for name in ("ok", "unparsed", "refused", "error", "all_right"):
            counts[name] = 0
        keys = own.keys | ({"judge": config.panel} if config.panel else {})
        parquet.write(_counted(found, counts), verdicts, Verdict, keys=keys)
        if asking.usage:
            counts["prompt_tokens"] = sum(prompt for prompt, _ in asking.usage.values())
            counts["reply_tokens"] = sum(reply for _, reply in asking.usage.values())
        if reached.price is not None and reached.paid and reached.account:
            bill = read_bill(Path(reached.account), reached.bill)
            meter.note(f"spent_{reached.price.currency}", round(bill.spent, 6))
            counts.note += f"; the run has spent {bill.spent:.2f} {reached.price.currency} so far"


def _access(text: str) -> Access:
    """Raises UserError where the argument is not what the rule hands on."""
    try:
        return Access.model_validate_json("{}" if text == NOTHING else text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        what = f"{key}: {first['msg']}"
        raise UserError(what, where="--access", cure="pass it as the rule does") from error


def _batch(access: Access, max_tokens: int | None) -> int:
    """Rollouts between two waits for the slowest: what fast endpoints take in ten minutes."""
    most = per_minute(access.endpoints, max_tokens or 1) if access.endpoints else 0
    return max(ROLLOUTS_PER_BATCH, int(10 * (most or 0)))


def plan(
    config: JudgeSlice, questions: Mapping[str, Sample], batch: Sequence[Rollout]
) -> list[JudgeRequest]:
    """One request per rollout whose steps can be told apart."""
    return [_request(config, questions[item.sample_id], item) for item in batch if item.steps]


Ask = Callable[[Sequence[JudgeRequest], int], Iterator[tuple[int, JudgeReply]]]


def _asked(
    config: JudgeSlice, ask: Ask, questions: Mapping[str, Sample], batch: Sequence[Rollout]
) -> Iterator[tuple[int, JudgeReply]]:
    """Replies to a batch, each the first that can be read, or the last of ``attempts``."""
    requests = plan(config, questions, batch)
    places = list(range(len(requests)))
    for attempt in range(config.judge.attempts):
        unread = []
        for place, reply in ask([requests[at] for at in places], attempt):
            request = requests[places[place]]
            if attempt + 1 < config.judge.attempts and not _readable(config, request, reply):
                unread.append(places[place])
            else:
                yield places[place], reply
        places = sorted(unread)


def _readable(config: JudgeSlice, request: JudgeRequest, reply: JudgeReply) -> bool:
    """Whether asking again is of no use: there is a verdict, or a refusal for good."""
    if reply.status != "ok":
        return reply.status != "cut"
    found = parse_verdict(request.id, config.judge.name, reply.text, request.steps)
    return found.status == "ok"


def fold(
    config: JudgeSlice, batch: Sequence[Rollout], replies: Iterable[tuple[int, JudgeReply]]
) -> list[Verdict]:
    """Replies, in any order, as verdicts in the order of the rollouts; open ones are left out."""
    asked = [item.id for item in batch if item.steps]
    told = {asked[place]: reply for place, reply in replies}
    return [
        _verdict(config.judge.name, item, told.get(item.id))
        for item in batch
        if item.id in told or not item.steps
    ]


def _counted(found: Iterable[Verdict], counts: dict[str, int]) -> Iterator[Verdict]:
    for item in found:
        counts[item.status] += 1
        counts["all_right"] += item.status == "ok" and item.first_error is None
        yield item


def _request(config: JudgeSlice, sample: Sample, rollout: Rollout) -> JudgeRequest:
    solution = shown_to_judge(rollout.text, rollout.steps)
    text = prompts.render(config.judge.prompt, problem=question_text(sample), solution=solution)
    message = Message(role="user", text=text, images=sample.images)
    return JudgeRequest(id=rollout.id, sample=sample, steps=rollout.steps, messages=(message,))


def _verdict(judge: str, rollout: Rollout, reply: JudgeReply | None) -> Verdict:
    if reply is None:
        return Verdict(
            rollout_id=rollout.id,
            judge=judge,
            first_error=None,
            status="unparsed",
            reason="the rollout has no steps that can be told apart",
            raw="",
        )
    if reply.status != "ok":
        return Verdict(
            rollout_id=rollout.id,
            judge=judge,
            first_error=None,
            status="unparsed" if reply.status == "cut" else reply.status,
            reason=reply.error,
            raw=reply.text,
        )
    return parse_verdict(rollout.id, judge, reply.text, rollout.steps)
