"""Search: the PRM leads the policy step by step; writes rollouts, scores and costs."""

from __future__ import annotations

from collections.abc import Sequence

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.slices.search import SearchSlice
from vlprm.engines.recorded import RecordedPolicy, RecordedScorer
from vlprm.io import parquet
from vlprm.io.keys import keys_of
from vlprm.io.manifest import recorded, sha256_of
from vlprm.ledger.book import opened
from vlprm.progress import chunks
from vlprm.prompts import sha256_of_all
from vlprm.protocols import Completion, Policy, StepScorer
from vlprm.records import Message, Rollout, Sample, SearchCost, StepScore
from vlprm.search.expand import Setting
from vlprm.search.loop import Found, search
from vlprm.solutions.rollouts import policy_messages, searched_by, steps_or_none, to_rollout
from vlprm.stages import VERSIONS, In, Out

QUESTIONS_PER_BATCH = 256
"""Questions that advance together: with 8 candidates 2,048 draws per round."""


class Rendering:
    """How questions and solutions are shown to policy and PRM (``search.expand.Rendering``)."""

    def __init__(self, config: SearchSlice) -> None:
        self._policy = config.policy
        self._shown = config.prm_user_prompt
        self._name = searched_by(config.name, config.policy_name, config.prm_name)

    def messages(self, sample: Sample) -> tuple[Message, ...]:
        """The chat the policy answers."""
        return policy_messages(
            sample,
            question_text(sample),
            system_prompt=self._policy.system_prompt,
            user_prompt=self._policy.user_prompt,
        )

    def question(self, sample: Sample) -> str:
        """The question as the PRM reads it."""
        return prompts.render(self._shown, question=question_text(sample))

    def steps(self, text: str) -> tuple[str, ...]:
        """The steps of a solution so far; none when it cannot be told into steps."""
        return tuple(step.text for step in steps_or_none(text, self._policy.layout))

    def rollout(self, sample: Sample, completion: Completion, *, seed: int) -> Rollout:
        """A whole solution as a record."""
        return to_rollout(sample, self._name, 0, completion, seed=seed, layout=self._policy.layout)


def run(
    config: SearchSlice,
    samples: In,
    images: In,
    policy: In,
    prm: In,
    rollouts: Out,
    scores: Out,
    costs: Out,
) -> None:
    """Search every question of a shard."""
    drawing, scoring = config.policy_engine, config.prm_engine
    digests = sha256_of(policy), sha256_of(prm)
    with (
        recorded(
            "search",
            VERSIONS["search"],
            config.model_dump(mode="json"),
            inputs=[samples, images, policy, prm],
            outputs=[rollouts, scores, costs],
            models={drawing.name: digests[0], config.prm_name: digests[1]},
            gpus=len({*drawing.placement.devices, *scoring.placement.devices}),
            prompts=sha256_of_all(
                config.policy.system_prompt,
                config.policy.user_prompt,
                config.prm_system_prompt,
                config.prm_user_prompt,
            ),
        ) as counts,
        opened(counts, "questions") as book,
    ):
        keys = keys_of(samples, Sample, "dataset", "shard")
        keys |= {"policy": config.policy_name, "prm": config.prm_name, "search": config.name}
        asked = RecordedPolicy(book, drawing, policy, digests[0], images)
        scorer = RecordedScorer(book, scoring, prm, digests[1], images, after=asked)
        found = list(
            book.work(
                chunks(parquet.read(samples, Sample), QUESTIONS_PER_BATCH),
                lambda batch: _searched(config, asked, scorer, batch),
            )
        )
        parquet.write([item.rollout for item in found], rollouts, Rollout, keys=keys)
        parquet.write(
            [score for item in found for score in item.scores], scores, StepScore, keys=keys
        )
        parquet.write([item.cost for item in found], costs, SearchCost, keys=keys)
        counts["questions"] = len(found)
        counts["unfinished"] = sum(item.rollout.finish_reason != "stop" for item in found)
        counts["policy_samples"] = sum(item.cost.policy_samples for item in found)
        counts["sampled_tokens"] = sum(item.cost.sampled_tokens for item in found)
        counts["prm_calls"] = sum(item.cost.prm_calls for item in found)


def _searched(
    config: SearchSlice, policy: Policy, scorer: StepScorer, batch: Sequence[Sample]
) -> list[Found]:
    setting = Setting(
        config.search,
        Rendering(config),
        config.policy.sampling,
        prompts.render(config.prm_system_prompt),
    )
    key = (config.name, config.policy_name, config.prm_name)
    return search(batch, policy, scorer, setting, seed=config.seed, key=key)
