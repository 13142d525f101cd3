"""Monte-Carlo estimates: continue every step prefix k times and count right answers.

The continuation truly continues the prefix (upstream started a new assistant turn:
rollout.py:386-388). A continuation that failed or was cut is counted apart, never as wrong.
"""

from __future__ import annotations

from pathlib import Path

from vlprm.answers.equal import check
from vlprm.answers.extract import extract_answer
from vlprm.benchmarks import question_text
from vlprm.config.slices import EstimateSlice
from vlprm.engines import load_policy
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.labels.monte_carlo import estimate
from vlprm.progress import chunks, track
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Completion, GenerationRequest
from vlprm.records import Rollout, Sample, Section, Step, StepEstimate
from vlprm.rollouts import policy_messages
from vlprm.seeds import seed_for
from vlprm.stages import VERSIONS

PREFIXES_A_BATCH = 512


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
        engine = load_policy(model, weights.parent, ImageStore(images), config.engine.placement)
        found = [
            _finished(config, questions[item.sample_id], item, step)
            for item in solutions
            for step in item.steps
            if step.section is Section.SOLUTION
        ]
        prefixes = [
            (item, step)
            for item in solutions
            for step in item.steps
            if step.section is not Section.SOLUTION
        ]
        for batch in track(chunks(prefixes, PREFIXES_A_BATCH), "estimate"):
            requests = [
                _request(config, questions[item.sample_id], item, step) for item, step in batch
            ]
            answers = engine.generate(requests, config.policy.sampling)
            found += [
                _estimate(config, questions[item.sample_id], item, step, completions)
                for (item, step), completions in zip(batch, answers, strict=True)
            ]
        found.sort(key=lambda item: (item.rollout_id, item.step_index))
        tables.write(found, estimates, StepEstimate)
        counts["rollouts"] = len(solutions)
        counts["steps"] = len(found)
        counts["continuations"] = len(prefixes) * config.estimates.continuations
        counts["failed_continuations"] = sum(item.n_failed for item in found)
        counts["steps_never_right"] = sum(item.n_correct == 0 for item in found)


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
