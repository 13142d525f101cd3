"""Rollouts: draw n solutions of every question of a shard (paper section 3; eval alike)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vlprm.benchmarks import question_text
from vlprm.config.slices.rollout import RolloutSlice
from vlprm.engines.recorded import RecordedPolicy
from vlprm.io import parquet
from vlprm.io.keys import keys_of
from vlprm.io.manifest import recorded, sha256_of
from vlprm.ledger.book import opened
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Completion, GenerationRequest
from vlprm.records import Rollout, Sample
from vlprm.seeds import seed_for
from vlprm.solutions.rollouts import policy_messages, rollout_id, to_rollout
from vlprm.stages import VERSIONS, In, Out

QUESTIONS_PER_BATCH = 256
"""With 16 rollouts each 4,096 requests: many times what runs at once on a card, and minutes."""


def run(config: RolloutSlice, samples: In, images: In, weights: In, rollouts: Out) -> None:
    """Read samples and images, write rollouts."""
    policy, engine = config.policy, config.engine
    digest = sha256_of(weights)
    with (
        recorded(
            "rollout",
            VERSIONS["rollout"],
            config.model_dump(mode="json"),
            inputs=[samples, images, weights],
            outputs=[rollouts],
            models={engine.name: digest},
            gpus=len(engine.placement.devices),
            prompts=sha256_of_all(policy.system_prompt, policy.user_prompt),
        ) as counts,
        opened(counts, "questions") as book,
    ):
        drawing = RecordedPolicy(book, engine, weights, digest, images)
        keys = keys_of(samples, Sample, "dataset", "shard") | {"policy": config.policy_name}
        questions = parquet.read(samples, Sample)
        drawn = book.work(
            chunks(questions, QUESTIONS_PER_BATCH),
            lambda batch: fold(
                config, batch, drawing.generate(plan(config, batch), policy.sampling)
            ),
        )
        counts["questions"] = len(questions)
        for name in ("rollouts", "cut", "failed", "without_answer", "without_steps"):
            counts[name] = 0
        parquet.write(_counted(drawn, counts), rollouts, Rollout, keys=keys)


def plan(config: RolloutSlice, batch: Sequence[Sample]) -> list[GenerationRequest]:
    """One request per question, with a seed per rollout."""
    return [_request(config, sample) for sample in batch]


def fold(
    config: RolloutSlice, batch: Sequence[Sample], replies: Sequence[tuple[Completion, ...]]
) -> list[Rollout]:
    """Completions as rollouts, question after question."""
    return [
        to_rollout(sample, config.policy_name, number, item, seed=seed, layout=config.policy.layout)
        for sample, request, completions in zip(batch, plan(config, batch), replies, strict=True)
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
    ids = [rollout_id(sample.id, config.policy_name, number) for number in range(config.n)]
    return GenerationRequest(
        id=sample.id,
        messages=policy_messages(
            sample,
            question_text(sample),
            system_prompt=config.policy.system_prompt,
            user_prompt=config.policy.user_prompt,
        ),
        prefix="",
        seeds=tuple(seed_for(config.seed, "rollout", name) for name in ids),
    )
