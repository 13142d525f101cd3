"""Verdicts: a judge names the first wrong step of every rollout; its raw reply is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import JudgeSlice
from vlprm.engines import load_judge
from vlprm.io import parts, tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded
from vlprm.labels.verdicts import parse_verdict
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Judge, JudgeReply, JudgeRequest
from vlprm.records import Message, Rollout, Sample, Verdict
from vlprm.stages import VERSIONS
from vlprm.steps import shown_to_judge

ROLLOUTS_A_BATCH = 256
"""Eight rounds of 32 calls at a time: some minutes of a judge that thinks, and of its price."""


def run(config: JudgeSlice, samples: Path, images: Path, rollouts: Path, verdicts: Path) -> None:
    """Read rollouts, write one verdict each."""
    judge = config.judge
    with recorded(
        "judge",
        VERSIONS["judge"],
        config.model_dump(mode="json"),
        inputs=[samples, images, rollouts],
        outputs=[verdicts],
        prompts=sha256_of_all(judge.prompt),
    ) as counts:
        questions = {sample.id: sample for sample in tables.read(samples, Sample)}
        solutions = tables.read(rollouts, Rollout)
        found = parts.made(
            counts,
            chunks(solutions, ROLLOUTS_A_BATCH),
            Verdict,
            "rollouts",
            load=lambda: load_judge(judge, ImageStore(images)),
            ask=lambda engine, batch: _verdicts(config, engine, questions, batch),
            reads=lambda item: (questions[item.sample_id], item),
        )
        counts["rollouts"] = len(solutions)
        for name in ("ok", "unparsed", "refused", "error", "all_right"):
            counts[name] = 0
        tables.write(_counted(found, counts), verdicts, Verdict)


def _verdicts(
    config: JudgeSlice, engine: Judge, questions: Mapping[str, Sample], batch: Sequence[Rollout]
) -> list[Verdict]:
    asked = [item for item in batch if item.steps]
    replies = engine.judge([_request(config, questions[item.sample_id], item) for item in asked])
    parts.refuse_all_failed(
        [(reply.error or "error") if reply.status == "error" else None for reply in replies]
    )
    told = dict(zip((item.id for item in asked), replies, strict=True))
    return [_verdict(config.judge.name, item, told.get(item.id)) for item in batch]


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
            status=reply.status,
            reason=reply.error,
            raw=reply.text,
        )
    return parse_verdict(rollout.id, judge, reply.text, rollout.steps)
