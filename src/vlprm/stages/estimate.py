"""Monte-Carlo estimates: continue every step prefix k times and count right answers.

The continuation truly continues the prefix (upstream started a new assistant turn:
rollout.py:386-388). A continuation that failed or was cut is counted apart, never as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from vlprm.answers.equal import check
from vlprm.answers.extract import extract_answer
from vlprm.benchmarks import question_text
from vlprm.config.slices import EstimateSlice
from vlprm.engines import load_policy
from vlprm.io import parts, tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.labels.monte_carlo import estimate
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Completion, GenerationRequest, Policy, all_failed
from vlprm.records import Rollout, Sample, Section, Step, StepEstimate
from vlprm.rollouts import policy_messages
from vlprm.seeds import seed_for
from vlprm.stages import VERSIONS

CONTINUATIONS_A_BATCH = 32_768
"""About 14 minutes of a 7B policy at 40 a second, 85 s at 384: the engine's last, half-empty
minute weighs little, and a kill costs minutes. 16 of the paper's questions."""


def run(
    config: EstimateSlice,
    samples: Path,
    images: Path,
    rollouts: Path,
    weights: Path,
    estimates: Path,
) -> None:
    """Read rollouts, write one estimate a step."""
    with recorded(
        "estimate",
        VERSIONS["estimate"],
        config.model_dump(mode="json"),
        inputs=[samples, images, rollouts, weights],
        outputs=[estimates],
        models={config.engine.name: sha256_of(weights)},
        gpus=len(config.engine.placement.devices),
        prompts=sha256_of_all(config.policy.system_prompt, config.policy.user_prompt),
    ) as counts:
        questions = {sample.id: sample for sample in tables.read(samples, Sample)}
        solutions = tables.read(rollouts, Rollout)
        model = config.engine.model
        made = parts.made(
            counts,
            _batches(config, solutions),
            StepEstimate,
            "rollouts",
            load=lambda: load_policy(
                model, weights.parent, ImageStore(images), config.engine.placement
            ),
            ask=lambda engine, batch: _estimates(config, engine, questions, batch),
            reads=lambda item: (questions[item.sample_id], item),
        )
        found = sorted(made, key=lambda item: (item.rollout_id, item.step_index))
        tables.write(found, estimates, StepEstimate)
        counts["rollouts"] = len(solutions)
        counts["steps"] = len(found)
        counts["continuations"] = sum(_continuations(config, item) for item in solutions)
        counts["failed_continuations"] = sum(item.n_failed for item in found)
        counts["steps_never_right"] = sum(item.n_correct == 0 for item in found)


def _batches(config: EstimateSlice, solutions: Sequence[Rollout]) -> list[list[Rollout]]:
    """Whole questions, until a batch asks for ``CONTINUATIONS_A_BATCH``."""
    batches: list[list[Rollout]] = []
    asked = CONTINUATIONS_A_BATCH
    for _, rollouts in groupby(solutions, key=lambda item: item.sample_id):
        if asked >= CONTINUATIONS_A_BATCH:
            batches.append([])
            asked = 0
        for item in rollouts:
            batches[-1].append(item)
            asked += _continuations(config, item)
    return batches


def _continuations(config: EstimateSlice, rollout: Rollout) -> int:
    return config.estimates.continuations * sum(map(_open, rollout.steps))


def _open(step: Step) -> bool:
    """Does the solution go on after the step? A prefix with the final answer needs no drawing."""
    return step.section is not Section.SOLUTION


def _estimates(
    config: EstimateSlice, engine: Policy, questions: Mapping[str, Sample], batch: Sequence[Rollout]
) -> list[StepEstimate]:
    prefixes = [(item, step) for item in batch for step in item.steps if _open(step)]
    requests = [_request(config, questions[item.sample_id], item, step) for item, step in prefixes]
    answers = engine.generate(requests, config.policy.sampling) if requests else []
    parts.refuse_all_failed([all_failed(completions) for completions in answers])
    drawn = [
        _estimate(config, questions[item.sample_id], item, step, completions)
        for (item, step), completions in zip(prefixes, answers, strict=True)
    ]
    return drawn + [
        _finished(config, questions[item.sample_id], item, step)
        for item in batch
        for step in item.steps
        if not _open(step)
    ]


def _request(
    config: EstimateSlice, sample: Sample, rollout: Rollout, step: Step
) -> GenerationRequest:
    key = (config.seed, "estimate", config.policy_name, rollout.id, step.index)
    return GenerationRequest(
        id=f"{rollout.id}/{step.index}",
        messages=policy_messages(
            sample,
            question_text(sample),
            system_prompt=config.policy.system_prompt,
            user_prompt=config.policy.user_prompt,
        ),
        prefix=rollout.text[: step.end],
        seeds=tuple(seed_for(*key, k) for k in range(config.estimates.continuations)),
    )


def _estimate(
    config: EstimateSlice,
    sample: Sample,
    rollout: Rollout,
    step: Step,
    completions: tuple[Completion, ...],
) -> StepEstimate:
    prefix = rollout.text[: step.end]
    checks = [
        check(sample, extract_answer(prefix + item.text, sample), finish_reason=item.finish_reason)
        for item in completions
    ]
    return estimate(rollout.id, step.index, checks, failed_as=config.estimates.failed_as)


def _finished(config: EstimateSlice, sample: Sample, rollout: Rollout, step: Step) -> StepEstimate:
    """A prefix that holds the final answer has one outcome: nothing needs to be drawn."""
    answer = extract_answer(rollout.text[: step.end], sample)
    outcome = check(sample, answer, finish_reason=rollout.finish_reason)
    checks = [outcome] * config.estimates.continuations
    return estimate(rollout.id, step.index, checks, failed_as=config.estimates.failed_as)
