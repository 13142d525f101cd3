"""Verdicts: a judge names the first wrong step of every rollout; its raw reply is kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import JudgeSlice
from vlprm.engines import load_judge
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded
from vlprm.labels.verdicts import parse_verdict
from vlprm.progress import chunks, track
from vlprm.prompts import sha256_of_all
from vlprm.protocols import JudgeReply, JudgeRequest
from vlprm.records import Message, Rollout, Sample, Verdict
from vlprm.stages import VERSIONS
from vlprm.steps import shown_to_judge

ROLLOUTS_A_BATCH = 256


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
        engine = load_judge(judge, ImageStore(images))
        found: list[Verdict] = []
        for batch in track(chunks(solutions, ROLLOUTS_A_BATCH), "judge"):
            asked = [item for item in batch if item.steps]
            replies = engine.judge(
                [_request(config, questions[item.sample_id], item) for item in asked]
            )
            told = dict(zip((item.id for item in asked), replies, strict=True))
            found += [_verdict(judge.name, item, told.get(item.id)) for item in batch]
        tables.write(found, verdicts, Verdict)
        counts["rollouts"] = len(solutions)
        status = Counter(item.status for item in found)
        counts |= {name: status[name] for name in ("ok", "unparsed", "refused", "error")}
        counts["all_right"] = sum(v.status == "ok" and v.first_error is None for v in found)


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
