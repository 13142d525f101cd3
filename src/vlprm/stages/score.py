"""Step scores: the PRM reads every step of a candidate in one forward, and the whole as one.

Raw logits are stored; aggregation is later and pure. ``step_index`` -1 is the whole solution
judged as a single step (the PRM used as an ORM, paper's one-shot best-of-N).
"""

from __future__ import annotations

from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import ScoreSlice
from vlprm.engines import load_scorer
from vlprm.io import tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.prm.format import render_turns
from vlprm.progress import chunks, track
from vlprm.prompts import sha256_of_all
from vlprm.protocols import ScoreRequest
from vlprm.records import Rollout, Sample, StepScore
from vlprm.stages import VERSIONS

ROLLOUTS_A_BATCH = 1024
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
        engine = load_scorer(model, weights.parent, ImageStore(images), config.engine.placement)
        found: list[StepScore] = []
        for batch in track(chunks(solutions, ROLLOUTS_A_BATCH), "score"):
            stepwise = [item for item in batch if item.steps]
            requests = [_request(config, questions[i.sample_id], i, False) for i in stepwise]
            requests += [_request(config, questions[i.sample_id], i, True) for i in batch]
            logits = engine.score(requests)
            for item, request, steps in zip([*stepwise, *batch], requests, logits, strict=True):
                whole = request.id.endswith("/whole")
                found += [
                    StepScore(
                        rollout_id=item.id,
                        step_index=WHOLE if whole else index,
                        logit_plus=step.plus,
                        logit_minus=step.minus,
                        prompt_tokens=step.prompt_tokens,
                    )
                    for index, step in enumerate(steps)
                ]
        found.sort(key=lambda score: (score.rollout_id, score.step_index))
        tables.write(found, scores, StepScore)
        counts["candidates"] = len(solutions)
        counts["steps"] = sum(item.step_index != WHOLE for item in found)
        counts["without_steps"] = sum(not item.steps for item in solutions)


def _request(config: ScoreSlice, sample: Sample, rollout: Rollout, whole: bool) -> ScoreRequest:
    question = prompts.render(config.user_prompt, question=question_text(sample))
    steps = [rollout.text.strip()] if whole else [step.text for step in rollout.steps]
    return ScoreRequest(
        id=f"{rollout.id}/{'whole' if whole else 'steps'}",
        system=prompts.render(config.system_prompt),
        images=sample.images,
        turns=render_turns(question, steps),
    )
