"""Step scores: the PRM reads every step of a candidate in one forward, and the whole as one.

Raw logits are stored; aggregation is later and pure. The whole solution judged as a single step is
the PRM used as an ORM (paper's one-shot best-of-N). A plain VLM that says + or - to whole solutions
is the LLM judge of the selection (upstream LJ:122-179): the same stage, that view alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices.score import ScoreSlice, View
from vlprm.engines.recorded import RecordedScorer
from vlprm.io import parquet
from vlprm.io.manifest import recorded, sha256_of
from vlprm.io.solved import solved
from vlprm.ledger.book import opened
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import ScoreRequest, StepLogits
from vlprm.records import WHOLE_SOLUTION, Rollout, Sample, StepScore
from vlprm.stages import VERSIONS, In, Out

ROLLOUTS_PER_BATCH = 1024
"""64 questions of 16 candidates: 18 s of a 3B PRM on an H100, minutes of a 32B judge."""


def run(
    config: ScoreSlice, samples: In, images: In, rollouts: In, weights: In, scores: Out
) -> None:
    """Read candidates, write the logits of every step and of the whole solution."""
    engine = config.engine
    digest = sha256_of(weights)
    with (
        recorded(
            "score",
            VERSIONS["score"],
            config.model_dump(mode="json"),
            inputs=[samples, images, rollouts, weights],
            outputs=[scores],
            models={engine.name: digest},
            gpus=len(engine.placement.devices),
            prompts=sha256_of_all(config.system_prompt, config.user_prompt),
        ) as counts,
        opened(counts, "candidates") as book,
    ):
        scorer = RecordedScorer(book, engine, weights, digest, images)
        own = solved(samples, rollouts)
        questions, solutions = own.questions, own.solutions
        made = book.work(
            chunks(solutions, ROLLOUTS_PER_BATCH),
            lambda batch: fold(config, batch, scorer.score(plan(config, questions, batch))),
        )
        found = sorted(made, key=lambda score: (score.rollout_id, score.step_index))
        parquet.write(found, scores, StepScore, keys=own.keys | {config.by: config.by_name})
        counts["candidates"] = len(solutions)
        counts["steps"] = sum(item.step_index != WHOLE_SOLUTION for item in found)
        counts["without_steps"] = sum(not item.steps for item in solutions)


def plan(
    config: ScoreSlice, questions: Mapping[str, Sample], batch: Sequence[Rollout]
) -> list[ScoreRequest]:
    """One request per candidate and view (``config.views``)."""
    return [
        _request(config, questions[item.sample_id], item, view)
        for view, item in _views(config, batch)
    ]


def fold(
    config: ScoreSlice, batch: Sequence[Rollout], replies: Sequence[tuple[StepLogits, ...]]
) -> list[StepScore]:
    """Logits as step scores; those of a whole solution have step index ``WHOLE_SOLUTION``."""
    return [
        StepScore(
            rollout_id=item.id,
            step_index=WHOLE_SOLUTION if view == "whole" else index,
            logit_plus=step.plus,
            logit_minus=step.minus,
            prompt_tokens=step.prompt_tokens,
        )
        for (view, item), steps in zip(_views(config, batch), replies, strict=True)
        for index, step in enumerate(steps)
    ]


def _views(config: ScoreSlice, batch: Sequence[Rollout]) -> list[tuple[View, Rollout]]:
    return [
        (view, item) for view in config.views for item in batch if item.steps or view == "whole"
    ]


def _request(config: ScoreSlice, sample: Sample, rollout: Rollout, view: View) -> ScoreRequest:
    question = prompts.render(config.user_prompt, question=question_text(sample))
    whole = view == "whole"
    steps = [rollout.text.strip()] if whole else [step.text for step in rollout.steps]
    return ScoreRequest(
        id=f"{rollout.id}/{view}",
        system=prompts.render(config.system_prompt),
        images=sample.images,
        question=question,
        steps=tuple(steps),
    )
