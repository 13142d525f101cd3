"""Monte-Carlo estimates: continue every step prefix k times and count right answers.

The continuation truly continues the prefix (upstream started a new assistant turn:
rollout.py:386-388). A continuation that failed or was cut is counted apart, never as wrong.
Unless all are wanted they are drawn in rounds (``labels.drawing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import polars as pl

from vlprm.answers.equal import Check, check
from vlprm.answers.extract import extract_answer
from vlprm.benchmarks import question_text
from vlprm.config.slices.estimate import EstimateSlice
from vlprm.engines.recorded import RecordedPolicy
from vlprm.io import parquet
from vlprm.io.manifest import recorded, sha256_of
from vlprm.io.solved import evidence, solved
from vlprm.label_rules.rule import EstimateRule
from vlprm.labels.drawing import next_draws
from vlprm.labels.monte_carlo import estimate
from vlprm.ledger.book import opened
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Completion, GenerationRequest, Policy
from vlprm.records import Rollout, Sample, Section, Step, StepEstimate, Verdict
from vlprm.seeds import seed_for
from vlprm.solutions.rollouts import policy_messages
from vlprm.stages import VERSIONS, In, Out

CONTINUATIONS_PER_BATCH = 32_768
"""About 14 minutes of a 7B policy at 40 per second, 85 s at 384: the engine's last, half-empty
minute weighs little, and a kill costs minutes. 16 of the paper's questions where all are drawn."""


def run(
    config: EstimateSlice,
    samples: In,
    images: In,
    rollouts: In,
    verdicts: list[In],
    weights: In,
    estimates: Out,
) -> None:
    """Read rollouts, write an estimate of each step that one is needed of.

    ``verdicts``: one file where the label rule's judge is asked first, else none.
    """
    policy, engine = config.policy, config.engine
    digest = sha256_of(weights)
    with (
        recorded(
            "estimate",
            VERSIONS["estimate"],
            config.model_dump(mode="json"),
            inputs=[samples, images, rollouts, *verdicts, weights],
            outputs=[estimates],
            models={engine.name: digest},
            gpus=len(engine.placement.devices),
            prompts=sha256_of_all(policy.system_prompt, policy.user_prompt),
        ) as counts,
        opened(counts, "rollouts") as book,
    ):
        drawing = RecordedPolicy(book, engine, weights, digest, images)
        own = solved(samples, rollouts, policy=config.policy_name)
        questions, solutions = own.questions, own.solutions
        ids = pl.Series("id", [item.id for item in solutions], dtype=pl.String)
        known = evidence(verdicts, Verdict, own.keys, ids)
        said = {item.rollout_id: item for item in parquet.iterate(known, Verdict)}
        made = book.work(
            _batches(config, solutions),
            lambda batch: _estimates(config, drawing, questions, said, batch),
        )
        found = sorted(made, key=lambda item: (item.rollout_id, item.step_index))
        parquet.write(found, estimates, StepEstimate, keys=own.keys)
        counts["rollouts"] = len(solutions)
        counts["steps"] = len(found)
        counts["continuations"] = _drawn(config, solutions, found)
        counts["failed_continuations"] = sum(item.n_failed for item in found)
        counts["steps_never_right"] = sum(item.n_correct == 0 for item in found)


def _batches(config: EstimateSlice, solutions: Sequence[Rollout]) -> list[list[Rollout]]:
    """Whole questions, until a batch asks for ``CONTINUATIONS_PER_BATCH``.

    Where a rule decides what is drawn, most of the rest never is, and later rounds are small: an
    engine with a queue (vLLM) is asked for so many in the first round.
    """
    queued = config.rule is not None and config.engine.model.engines.policy == "vllm"
    each = _first_round(config) if queued else config.estimates.continuations
    batches: list[list[Rollout]] = []
    asked = CONTINUATIONS_PER_BATCH
    for _, rollouts in groupby(solutions, key=lambda item: item.sample_id):
        if asked >= CONTINUATIONS_PER_BATCH:
            batches.append([])
            asked = 0
        own = list(rollouts)
        batches[-1] += own
        asked += each * sum(_open(step) for item in own for step in item.steps)
    return batches


def _first_round(config: EstimateSlice) -> int:
    """Continuations of a prefix that the first round draws."""
    if not isinstance(config.rule, EstimateRule):
        return config.estimates.continuations
    return config.estimates.sides(config.rule).next_end(estimate("", 0, ()))


def continuations(config: EstimateSlice, solutions: Sequence[Rollout]) -> list[int]:
    """How many continuations each rollout's steps get at most."""
    k = config.estimates.continuations
    return [k * sum(map(_open, item.steps)) for item in solutions]


def _open(step: Step) -> bool:
    """Does the solution go on after the step? A prefix with the final answer needs no drawing."""
    return step.section is not Section.SOLUTION


def _drawn(
    config: EstimateSlice, solutions: Sequence[Rollout], found: Sequence[StepEstimate]
) -> int:
    """Continuations behind the estimates: graded and failed ones, apart or counted as wrong."""
    drawn = {(item.id, step.index) for item in solutions for step in item.steps if _open(step)}
    apart = config.estimates.failed_as == "missing"
    return sum(
        item.n_graded + (item.n_failed if apart else 0)
        for item in found
        if (item.rollout_id, item.step_index) in drawn
    )


def _estimates(
    config: EstimateSlice,
    engine: Policy,
    questions: Mapping[str, Sample],
    said: Mapping[str, Verdict],
    batch: Sequence[Rollout],
) -> list[StepEstimate]:
    checks = [_finished(config, questions[item.sample_id], item) for item in batch]
    while requests := [
        (place, step, _request(config, questions[item.sample_id], item, item.steps[step], numbers))
        for place, item in enumerate(batch)
        for step, numbers in next_draws(
            config.estimates, config.rule, item, said.get(item.id), checks[place]
        ).items()
    ]:
        answers = engine.generate([item for _, _, item in requests], config.sampling)
        for (place, step, _), completions in zip(requests, answers, strict=True):
            item = batch[place]
            new = _checks(questions[item.sample_id], item, item.steps[step], completions)
            checks[place].setdefault(step, []).extend(new)
    return [
        estimate(item.id, step, own, failed_as=config.estimates.failed_as)
        for item, of_steps in zip(batch, checks, strict=True)
        for step, own in of_steps.items()
    ]


def _request(
    config: EstimateSlice, sample: Sample, rollout: Rollout, step: Step, numbers: range
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
        seeds=tuple(seed_for(*key, k) for k in numbers),
    )


def _checks(
    sample: Sample, rollout: Rollout, step: Step, completions: Sequence[Completion]
) -> list[Check]:
    prefix = rollout.text[: step.end]
    return [
        check(sample, extract_answer(prefix + item.text, sample), finish_reason=item.finish_reason)
        for item in completions
    ]


def _finished(config: EstimateSlice, sample: Sample, rollout: Rollout) -> dict[int, list[Check]]:
    """A prefix that holds the final answer has one outcome: nothing needs to be drawn."""
    found: dict[int, list[Check]] = {}
    for step in rollout.steps:
        if not _open(step):
            answer = extract_answer(rollout.text[: step.end], sample)
            outcome = check(sample, answer, finish_reason=rollout.finish_reason)
            found[step.index] = [outcome] * config.estimates.continuations
    return found
