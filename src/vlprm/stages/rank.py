"""LLM-as-judge selection: a plain VLM says + or - to whole solutions (upstream LJ:122-179)."""

from __future__ import annotations

from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import RankSlice
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
    config: RankSlice, samples: Path, images: Path, rollouts: Path, weights: Path, scores: Path
) -> None:
    """Read candidates, write the judge's logits of the value tokens for each whole solution."""
    with recorded(
        "rank",
        VERSIONS["rank"],
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
        for batch in track(chunks(solutions, ROLLOUTS_A_BATCH), "rank"):
            logits = engine.score([_request(config, questions[i.sample_id], i) for i in batch])
            found += [
                StepScore(
                    rollout_id=item.id,
                    step_index=WHOLE,
                    logit_plus=said.plus,
                    logit_minus=said.minus,
                    prompt_tokens=said.prompt_tokens,
                )
                for item, (said,) in zip(batch, logits, strict=True)
            ]
        tables.write(found, scores, StepScore)
        counts["candidates"] = len(found)


def _request(config: RankSlice, sample: Sample, rollout: Rollout) -> ScoreRequest:
    question = prompts.render(config.user_prompt, question=question_text(sample))
    return ScoreRequest(
        id=rollout.id,
        system=prompts.render(config.system_prompt),
        images=sample.images,
        turns=render_turns(question, [rollout.text.strip()]),
    )
