"""Rollouts: draw n solutions of every question of a shard (paper section 3; eval alike)."""

from __future__ import annotations

from pathlib import Path

from vlprm.benchmarks import question_text
from vlprm.config.slices import RolloutSlice
from vlprm.engines import load_policy
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.progress import chunks, track
from vlprm.prompts import sha256_of_all
from vlprm.protocols import GenerationRequest
from vlprm.records import Rollout, Sample
from vlprm.rollouts import policy_messages, rollout_id, to_rollout
from vlprm.seeds import seed_for
from vlprm.stages import VERSIONS

QUESTIONS_A_BATCH = 256


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
        engine = load_policy(model, weights.parent, ImageStore(images), config.engine.placement)
        drawn: list[Rollout] = []
        for batch in track(chunks(questions, QUESTIONS_A_BATCH), "rollout"):
            requests = [_request(config, sample) for sample in batch]
            answers = engine.generate(requests, policy.sampling)
            for sample, request, completions in zip(batch, requests, answers, strict=True):
                drawn += [
                    to_rollout(sample, number, item, seed=seed, layout=policy.layout)
                    for number, (item, seed) in enumerate(
                        zip(completions, request.seeds, strict=True)
                    )
                ]
        tables.write(drawn, rollouts, Rollout)
        counts["questions"] = len(questions)
        counts["rollouts"] = len(drawn)
        counts["cut"] = sum(item.finish_reason == "length" for item in drawn)
        counts["failed"] = sum(item.finish_reason == "error" for item in drawn)
        counts["without_answer"] = sum(item.answer is None for item in drawn)
        counts["without_steps"] = sum(not item.steps for item in drawn)


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
