"""Step-guided greedy search: the PRM picks every step out of n candidates (upstream BON:961-1164).

All problems advance together, one step a round: one call of the policy and one of the PRM for
all of them. What differs from upstream by default: a candidate cut by the token limit is no
step and is never taken for the end of the solution (BON:240-253), text is used as drawn
(BON:235 broke LaTeX), and a search without an end has no answer instead of its last step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vlprm.config.evaluation import GuidedConfig
from vlprm.protocols import (
    Completion,
    GenerationRequest,
    Policy,
    ScoreRequest,
    StepLogits,
    StepScorer,
)
from vlprm.records import FinishReason, Message, Record, Rollout, Sample, Sampling, StepScore
from vlprm.seeds import seed_for
from vlprm.steps import SEPARATOR

BOX = "\\boxed{"


class Rendering(Protocol):
    """How the caller shows a question to the policy and a solution to the PRM."""

    def messages(self, sample: Sample) -> tuple[Message, ...]:
        """The chat the policy answers."""
        ...

    def turns(self, sample: Sample, text: str) -> tuple[str, ...] | None:
        """The PRM's user turns for a solution so far; None when it cannot be told into steps."""
        ...

    def rollout(self, sample: Sample, completion: Completion, *, seed: int) -> Rollout:
        """A whole solution as a record (answer None unless ``finish_reason`` is "stop")."""
        ...


class GuidedResult(Record):
    """One search: its solution, the scores of the chosen steps, and what it cost."""

    rollout: Rollout
    scores: tuple[StepScore, ...]
    rounds: int
    policy_samples: int
    sampled_tokens: int
    prm_calls: int


@dataclass(slots=True)
class _Beam:
    sample: Sample
    seed: int
    text: str = ""
    done: bool = False
    failed: bool = True  # until one candidate comes back that is not an error
    tokens: int = 0
    prompt_tokens: int = 0
    logits: dict[int, StepLogits] = field(default_factory=dict)
    rounds: int = 0
    samples: int = 0
    sampled_tokens: int = 0
    prm_calls: int = 0


@dataclass(frozen=True, slots=True)
class _Search:
    """What every round needs."""

    policy: Policy
    scorer: StepScorer
    rendering: Rendering
    config: GuidedConfig
    sampling: Sampling
    system: str
    value: Callable[[Sequence[StepScore]], float]


def guided_search(
    samples: Sequence[Sample],
    policy: Policy,
    scorer: StepScorer,
    rendering: Rendering,
    config: GuidedConfig,
    *,
    sampling: Sampling,
    system: str,
    value: Callable[[Sequence[StepScore]], float],
    seed: int,
    key: tuple[str, ...],
) -> list[GuidedResult]:
    """Search every sample; results in the order of the samples.

    ``value``: from the score of the newest step to a rank, ``AGGREGATIONS["last"]`` for
    ``rank_by: p_plus``, ``AGGREGATIONS["published_reward"]`` (smallest p(-) when every step is
    negative) for ``published_reward``; ties go to the first candidate. ``key``: names that the
    random draws depend on besides the sample, such as policy and PRM; ``system``: the PRM's
    system turn. ``sampling.max_tokens`` bounds the solution, ``config.step_tokens`` a step.
    """
    context = _Search(policy, scorer, rendering, config, sampling, system, value)
    beams = [_Beam(item, seed_for(seed, "guided", *key, item.id)) for item in samples]
    for number in range(config.max_steps):
        live = [b for b in beams if not b.done and b.tokens < sampling.max_tokens]
        if not live:
            break
        _advance(live, number, context)
    return [_result(beam, rendering) for beam in beams]


def _advance(live: Sequence[_Beam], number: int, search: _Search) -> None:
    """One round: draw, clean up, score, choose."""
    step = search.sampling.model_copy(update={"max_tokens": search.config.step_tokens})
    drawn = search.policy.generate([_request(beam, number, search) for beam in live], step)
    requests: list[ScoreRequest] = []
    waiting: list[tuple[_Beam, list[Completion]]] = []
    for beam, completions in zip(live, drawn, strict=True):
        kept: list[Completion] = []
        for completion in _survivors(beam, completions, search.config):
            turns = search.rendering.turns(beam.sample, beam.text + completion.text)
            if turns:
                name = f"{beam.sample.id}/{number}/{len(kept)}"
                requests.append(ScoreRequest(name, search.system, beam.sample.images, turns))
                kept.append(completion)
        waiting.append((beam, kept))
    replies = search.scorer.score(requests) if requests else []
    answers = iter(zip(requests, replies, strict=True))
    for beam, kept in waiting:
        best: tuple[float, Completion, int, StepLogits] | None = None
        for completion in kept:
            request, logits = next(answers)
            index = len(request.turns) - 1
            rank = search.value([_score(beam.sample.id, index, logits[-1])])
            beam.prm_calls += 1
            if best is None or rank > best[0]:
                best = (rank, completion, index, logits[-1])
        if best is not None:
            _take(beam, *best[1:], stop_at_box=search.config.stop_at_box)


def _request(beam: _Beam, number: int, search: _Search) -> GenerationRequest:
    return GenerationRequest(
        id=f"{beam.sample.id}/{number}",
        messages=search.rendering.messages(beam.sample),
        prefix=beam.text,
        seeds=tuple(seed_for(beam.seed, number, candidate) for candidate in range(search.config.n)),
        stop=(SEPARATOR,),
    )


def _survivors(
    beam: _Beam, completions: Sequence[Completion], config: GuidedConfig
) -> list[Completion]:
    """Candidates that are a step: no error, not cut, not blank, not drawn before.

    No survivor leaves the beam as it is; the next round draws with new seeds. A bare end of
    turn is no step either, but when nothing else survives it ends the solution.
    """
    beam.rounds += 1
    beam.samples += len(completions)
    beam.sampled_tokens += sum(item.completion_tokens for item in completions)
    came_back = [item for item in completions if item.finish_reason != "error"]
    if came_back:
        beam.failed = False
        beam.prompt_tokens = beam.prompt_tokens or came_back[0].prompt_tokens
    whole = [item for item in came_back if item.finish_reason == "stop"]
    found: list[Completion] = []
    seen: set[tuple[str, bool]] = set()
    for item in whole:
        # an end of turn and a separator differ even where the text does not
        same = (item.text, item.stopped_by is None)
        if item.text.strip() and not (config.deduplicate and same in seen):
            found.append(item)
            seen.add(same)
    if not found and beam.text and any(item.stopped_by is None for item in whole):
        beam.done = True
    return found


def _take(
    beam: _Beam, completion: Completion, index: int, logits: StepLogits, *, stop_at_box: bool
) -> None:
    beam.text += completion.text
    beam.tokens += completion.completion_tokens
    beam.logits[index] = logits
    beam.done = completion.stopped_by is None or (stop_at_box and BOX in completion.text)


def _result(beam: _Beam, rendering: Rendering) -> GuidedResult:
    finish: FinishReason = "stop" if beam.done else ("error" if beam.failed else "length")
    completion = Completion(
        text=beam.text.removesuffix(SEPARATOR) if beam.done else beam.text,
        finish_reason=finish,
        stopped_by=None,
        prompt_tokens=beam.prompt_tokens,
        completion_tokens=beam.tokens,
        error="every candidate failed" if finish == "error" else None,
    )
    rollout = rendering.rollout(beam.sample, completion, seed=beam.seed)
    if finish != "stop" and rollout.answer is not None:
        rollout = rollout.model_copy(update={"answer": None})
    scores = [_score(rollout.id, index, logits) for index, logits in sorted(beam.logits.items())]
    return GuidedResult(
        rollout=rollout,
        scores=tuple(scores),
        rounds=beam.rounds,
        policy_samples=beam.samples,
        sampled_tokens=beam.sampled_tokens,
        prm_calls=beam.prm_calls,
    )


def _score(name: str, index: int, logits: StepLogits) -> StepScore:
    return StepScore(
        rollout_id=name,
        step_index=index,
        logit_plus=logits.plus,
        logit_minus=logits.minus,
        prompt_tokens=logits.prompt_tokens,
    )
