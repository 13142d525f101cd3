"""Rollouts: draw n solutions of every question of a shard (paper section 3; eval alike)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vlprm.benchmarks import question_text
from vlprm.config.slices import RolloutSlice
from vlprm.engines import load_policy
from vlprm.io import parts, tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import GenerationRequest, Policy, all_failed
from vlprm.records import Rollout, Sample
from vlprm.rollouts import policy_messages, rollout_id, to_rollout
from vlprm.seeds import seed_for
from vlprm.stages import VERSIONS

QUESTIONS_A_BATCH = 256
"""With 16 rollouts each 4,096 requests: many times what runs at once on a card, and minutes."""


def run(config: RolloutSlice, samples: Path, images: Path, weights: Path, rollouts: Path) -> None:
    """Read samples and images, write rollouts."""
    policy = config.policy
    with recorded(
        "rollout",
        VERSIONS["rollout"],
        config.model_dump(mode="json"),
        inputs=[samples, images, weights],
        outputs=[rollouts],
        models={config.engine.name: sha256_of(weights)},
        gpus=len(config.engine.placement.devices),
        prompts=sha256_of_all(policy.system_prompt, policy.user_prompt),
    ) as counts:
        questions = tables.read(samples, Sample)
        model = config.engine.model
        drawn = parts.made(
            counts,
            chunks(questions, QUESTIONS_A_BATCH),
            Rollout,
            "questions",
            load=lambda: load_policy(
                model, weights.parent, ImageStore(images), config.engine.placement
            ),
            ask=lambda engine, batch: _drawn(config, engine, batch),
        )
        counts["questions"] = len(questions)
        for name in ("rollouts", "cut", "failed", "without_answer", "without_steps"):
            counts[name] = 0
        tables.write(_counted(drawn, counts), rollouts, Rollout)


def _drawn(config: RolloutSlice, engine: Policy, batch: Sequence[Sample]) -> list[Rollout]:
    requests = [_request(config, sample) for sample in batch]
    answers = engine.generate(requests, config.policy.sampling)
    parts.refuse_all_failed([all_failed(completions) for completions in answers])
    return [
        to_rollout(sample, number, item, seed=seed, layout=config.policy.layout)
        for sample, request, completions in zip(batch, requests, answers, strict=True)
        for number, (item, seed) in enumerate(zip(completions, request.seeds, strict=True))
    ]


def _counted(drawn: Iterable[Rollout], counts: dict[str, int]) -> Iterator[Rollout]:
    """Count the rollouts on their way to the file: a shard's never lie in memory together."""
    for item in drawn:
        counts["rollouts"] += 1
        counts["cut"] += item.finish_reason == "length"
        counts["failed"] += item.finish_reason == "error"
        counts["without_answer"] += item.answer is None
        counts["without_steps"] += not item.steps
        yield item


def _request(config: RolloutSlice, sample: Sample) -> GenerationRequest:
    ids = [rollout_id(sample.id, number) for number in range(config.n)]
    return GenerationRequest(
        id=sample.id,
        messages=policy_messages(
            sample,
            question_text(sample),
            system_prompt=config.policy.system_prompt,
            user_prompt=config.policy.user_prompt,
        ),
        prefix="",
        seeds=tuple(seed_for(config.seed, "rollout", config.policy_name, name) for name in ids),
    )
