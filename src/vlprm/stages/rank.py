"""LLM-as-judge selection: a plain VLM says + or - to whole solutions (upstream LJ:122-179)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import RankSlice
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
"""64 questions of 16 candidates: minutes of a 32B judge, many full forwards."""
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
        counts["candidates"] = tables.write(made, scores, StepScore)


def _scores(
    config: RankSlice,
    engine: StepScorer,
    questions: Mapping[str, Sample],
    batch: Sequence[Rollout],
) -> list[StepScore]:
    logits = engine.score([_request(config, questions[item.sample_id], item) for item in batch])
    return [
        StepScore(
            rollout_id=item.id,
            step_index=WHOLE,
            logit_plus=said.plus,
            logit_minus=said.minus,
            prompt_tokens=said.prompt_tokens,
        )
        for item, (said,) in zip(batch, logits, strict=True)
    ]


def _request(config: RankSlice, sample: Sample, rollout: Rollout) -> ScoreRequest:
    question = prompts.render(config.user_prompt, question=question_text(sample))
    return ScoreRequest(
        id=rollout.id,
        system=prompts.render(config.system_prompt),
        images=sample.images,
        turns=render_turns(question, [rollout.text.strip()]),
    )
