"""Step scores: the PRM reads every step of a candidate in one forward, and the whole as one.

Raw logits are stored; aggregation is later and pure. ``step_index`` -1 is the whole solution
judged as a single step (the PRM used as an ORM, paper's one-shot best-of-N).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import ScoreSlice
from vlprm.engines import load_scorer
from vlprm.io import parts, tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.prm.format import render_turns
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import ScoreRequest, StepScorer
from vlprm.records import Rollout, Sample, StepScore
from vlprm.stages import VERSIONS

ROLLOUTS_A_BATCH = 1024
"""64 questions of 16 candidates: half a minute of a 3B PRM at 28 a second."""
WHOLE = -1


def run(
    config: ScoreSlice, samples: Path, images: Path, rollouts: Path, weights: Path, scores: Path
) -> None:
    """Read candidates, write the logits of every step and of the whole solution."""
    with recorded(
        "score",
        VERSIONS["score"],
        config.model_dump(mode="json"),
        inputs=[samples, images, rollouts, weights],
        outputs=[scores],
        models={config.engine.name: sha256_of(weights)},
        gpus=len(config.engine.placement.devices),
        prompts=sha256_of_all(config.system_prompt, config.user_prompt),
    ) as counts:
        questions = {sample.id: sample for sample in tables.read(samples, Sample)}
        solutions = tables.read(rollouts, Rollout)
        model = config.engine.model
        made = parts.made(
            counts,
            chunks(solutions, ROLLOUTS_A_BATCH),
            StepScore,
            "candidates",
            load=lambda: load_scorer(
                model, weights.parent, ImageStore(images), config.engine.placement
            ),
            ask=lambda engine, batch: _scores(config, engine, questions, batch),
            reads=lambda item: (questions[item.sample_id], item),
        )
        found = sorted(made, key=lambda score: (score.rollout_id, score.step_index))
        tables.write(found, scores, StepScore)
        counts["candidates"] = len(solutions)
        counts["steps"] = sum(item.step_index != WHOLE for item in found)
        counts["without_steps"] = sum(not item.steps for item in solutions)


def _scores(
    config: ScoreSlice,
    engine: StepScorer,
    questions: Mapping[str, Sample],
    batch: Sequence[Rollout],
) -> list[StepScore]:
    stepwise = [item for item in batch if item.steps]
    requests = [_request(config, questions[item.sample_id], item, False) for item in stepwise]
    requests += [_request(config, questions[item.sample_id], item, True) for item in batch]
    return [
        StepScore(
            rollout_id=item.id,
            step_index=WHOLE if request.id.endswith("/whole") else index,
            logit_plus=step.plus,
            logit_minus=step.minus,
            prompt_tokens=step.prompt_tokens,
        )
        for item, request, steps in zip(
            [*stepwise, *batch], requests, engine.score(requests), strict=True
        )
        for index, step in enumerate(steps)
    ]


def _request(config: ScoreSlice, sample: Sample, rollout: Rollout, whole: bool) -> ScoreRequest:
    question = prompts.render(config.user_prompt, question=question_text(sample))
    steps = [rollout.text.strip()] if whole else [step.text for step in rollout.steps]
    return ScoreRequest(
        id=f"{rollout.id}/{'whole' if whole else 'steps'}",
        system=prompts.render(config.system_prompt),
        images=sample.images,
        turns=render_turns(question, steps),
    )
