"""Step-guided search: the PRM picks every step; writes rollouts and scores like its siblings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices import SearchSlice
from vlprm.engines import load_policy, load_scorer
from vlprm.io import parts, tables
from vlprm.io.images import ImageStore
from vlprm.io.manifest import recorded, sha256_of
from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.prm.format import render_turns
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Completion, Policy, StepScorer
from vlprm.records import Message, Rollout, Sample, StepScore
from vlprm.rollouts import policy_messages, steps_or_none, to_rollout
from vlprm.search.guided import GuidedResult, guided_search
from vlprm.stages import VERSIONS

QUESTIONS_A_BATCH = 256
"""One search, whose questions advance together: with 8 candidates 2,048 requests a round."""


class Rendering:
    """How questions and solutions are shown to policy and PRM (``search.guided.Rendering``)."""

    def __init__(self, config: SearchSlice) -> None:
        self._policy = config.policy

    def messages(self, sample: Sample) -> tuple[Message, ...]:
        """The chat the policy answers."""
        return policy_messages(
            sample,
            question_text(sample),
            system_prompt=self._policy.system_prompt,
            user_prompt=self._policy.user_prompt,
        )

    def turns(self, sample: Sample, text: str) -> tuple[str, ...] | None:
        """The PRM's user turns for a solution so far."""
        steps = [step.text for step in steps_or_none(text, self._policy.layout)]
        asked = prompts.render(self._policy.user_prompt, question=question_text(sample))
        return render_turns(asked, steps) if steps else None

    def rollout(self, sample: Sample, completion: Completion, *, seed: int) -> Rollout:
        """A whole solution as a record."""
        return to_rollout(sample, 0, completion, seed=seed, layout=self._policy.layout)


def run(
    config: SearchSlice,
    samples: Path,
    images: Path,
    policy: Path,
    prm: Path,
    rollouts: Path,
    scores: Path,
) -> None:
    """Search every question of a shard."""
    with recorded(
        "search",
        VERSIONS["search"],
        config.model_dump(mode="json"),
        inputs=[samples, images, policy, prm],
        outputs=[rollouts, scores],
        models={
            config.policy_engine.name: sha256_of(policy),
            config.prm_name: sha256_of(prm),
        },
        gpus=len({*config.policy_engine.placement.devices, *config.prm_engine.placement.devices}),
        prompts=sha256_of_all(
            config.policy.system_prompt, config.policy.user_prompt, config.prm_system_prompt
        ),
    ) as counts:
        found = list(
            parts.made(
                counts,
                chunks(tables.read(samples, Sample), QUESTIONS_A_BATCH),
                GuidedResult,
                "questions",
                load=lambda: _engines(config, policy.parent, prm.parent, ImageStore(images)),
                ask=lambda engines, batch: _searched(config, *engines, batch),
            )
        )
        tables.write([item.rollout for item in found], rollouts, Rollout)
        tables.write([score for item in found for score in item.scores], scores, StepScore)
        counts["questions"] = len(found)
        counts["unfinished"] = sum(item.rollout.finish_reason != "stop" for item in found)
        counts["policy_samples"] = sum(item.policy_samples for item in found)
        counts["sampled_tokens"] = sum(item.sampled_tokens for item in found)
        counts["prm_calls"] = sum(item.prm_calls for item in found)


def _engines(
    config: SearchSlice, policy: Path, prm: Path, store: ImageStore
) -> tuple[Policy, StepScorer]:
    drawing, scoring = config.policy_engine, config.prm_engine
    # the policy first: vLLM measures what is free on a card while it alone allocates there
    return (
        load_policy(drawing.model, policy, store, drawing.placement),
        load_scorer(scoring.model, prm, store, scoring.placement),
    )


def _searched(
    config: SearchSlice, policy: Policy, scorer: StepScorer, batch: Sequence[Sample]
) -> list[GuidedResult]:
    rank_by = config.guided.rank_by
    found = guided_search(
        batch,
        policy,
        scorer,
        Rendering(config),
        config.guided,
        sampling=config.policy.sampling,
        system=prompts.render(config.prm_system_prompt),
        value=AGGREGATIONS["last" if rank_by == "p_plus" else rank_by],
        seed=config.seed,
        key=(config.policy_name, config.prm_name),
    )
    failed = [item.rollout.finish_reason == "error" for item in found]
    parts.refuse_all_failed(["every candidate failed" if item else None for item in failed])
    return found
