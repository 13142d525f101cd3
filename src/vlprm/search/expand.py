"""One round of a search, as requests and what becomes of the replies; every function is pure.

What differs from upstream by default: a candidate cut by the token limit is no step and is never
taken for the end of the solution (BON:240-253), and text is used as drawn (BON:235 broke LaTeX).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from vlprm.answers.marks import has_box
from vlprm.protocols import Completion, GenerationRequest, ScoreRequest, StepLogits
from vlprm.records import Message, Rollout, Sample, Sampling, StepScore
from vlprm.search.keep.block import SearchBlock
from vlprm.search.state import Beam, Proposal, Tree
from vlprm.seeds import seed_for
from vlprm.solutions.steps import SEPARATOR


class Rendering(Protocol):
    """How the caller shows a question to the policy and a solution to the PRM."""

    def messages(self, sample: Sample) -> tuple[Message, ...]:
        """The chat the policy answers."""
        ...

    def question(self, sample: Sample) -> str:
        """The question as the PRM reads it."""
        ...

    def steps(self, text: str) -> tuple[str, ...]:
        """The steps of a solution so far; none when it cannot be told into steps."""
        ...

    def rollout(self, sample: Sample, completion: Completion, *, seed: int) -> Rollout:
        """A whole solution as a record (answer None unless ``finish_reason`` is "stop")."""
        ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What every round needs. ``sampling.max_tokens`` bounds a solution, not a step."""

    config: SearchBlock
    rendering: Rendering
    sampling: Sampling
    system: str
    """The PRM's system turn."""

    @property
    def of_a_step(self) -> Sampling:
        """How one step is drawn."""
        return self.sampling.model_copy(update={"max_tokens": self.config.step_tokens})


def draw_requests(tree: Tree, number: int, setting: Setting) -> list[GenerationRequest]:
    """Round ``number``: the next steps of every live beam, in their order."""
    messages = setting.rendering.messages(tree.sample)
    return [
        GenerationRequest(
            id=f"{tree.sample.id}/{number}/{place}",
            messages=messages,
            prefix=beam.text,
            seeds=tuple(seed_for(tree.seed, number, draw) for draw in draws),
            stop=(SEPARATOR,),
        )
        for place, (beam, draws) in enumerate(
            zip(tree.live, setting.config.draws(tree.live), strict=True)
        )
    ]


def drawn(
    tree: Tree, replies: Sequence[Sequence[Completion]], setting: Setting
) -> tuple[Tree, list[Proposal]]:
    """The tree after the draws, and the candidates to be scored.

    Candidates that are no step are left out: errors, cut ones, blanks, what was drawn before.
    A bare end of turn is no step either, but it ends a solution of which nothing else survived.
    """
    every = [item for reply in replies for item in reply]
    came_back = [item for item in every if item.finish_reason != "error"]
    cost = replace(
        tree.cost,
        rounds=tree.cost.rounds + 1,
        policy_samples=tree.cost.policy_samples + len(every),
        sampled_tokens=tree.cost.sampled_tokens + sum(item.completion_tokens for item in every),
    )
    seen: set[tuple[int, str, bool]] = set()
    beams, proposals = [], []
    for beam, reply in zip(tree.live, replies, strict=True):
        whole = [item for item in reply if item.finish_reason == "stop"]
        fit = list(_fit(beam, whole, seen, once=setting.config.deduplicate))
        ended = not fit and beam.text and any(item.stopped_by is None for item in whole)
        beams.append(replace(beam, finished=True) if ended else beam)
        for item in fit:
            steps = setting.rendering.steps(beam.text + item.text)
            if steps:
                boxed = setting.config.stop_at_box and has_box(item.text)
                proposals.append(Proposal(beam, item, steps, item.stopped_by is None or boxed))
    after = replace(
        tree,
        cost=replace(cost, prm_calls=cost.prm_calls + len(proposals)),
        prompt_tokens=tree.prompt_tokens or (came_back[0].prompt_tokens if came_back else 0),
        failed=tree.failed and not came_back,
    )
    return after.left_with(beams), proposals


def _fit(
    beam: Beam, whole: Sequence[Completion], seen: set[tuple[int, str, bool]], *, once: bool
) -> Iterator[Completion]:
    for item in whole:
        # an end of turn and a separator differ even where the text does not
        same = (beam.subtree, beam.text + item.text, item.stopped_by is None)
        if item.text.strip() and not (once and same in seen):
            seen.add(same)
            yield item


def score_requests(
    tree: Tree, number: int, proposals: Sequence[Proposal], setting: Setting
) -> list[ScoreRequest]:
    """The candidates of round ``number``, each with all its steps."""
    question = setting.rendering.question(tree.sample)
    return [
        ScoreRequest(
            id=f"{tree.sample.id}/{number}/{place}",
            system=setting.system,
            images=tree.sample.images,
            question=question,
            steps=tuple(item.steps),
        )
        for place, item in enumerate(proposals)
    ]


def scored(
    tree: Tree,
    proposals: Sequence[Proposal],
    replies: Sequence[Sequence[StepLogits]],
    setting: Setting,
) -> Tree:
    """The tree after the scores: what its kind keeps. Without a candidate nothing changes, and
    the next round draws with new seeds."""
    grown = [
        _grown(tree.sample.id, item, logits[-1], setting.config)
        for item, logits in zip(proposals, replies, strict=True)
    ]
    read = sum(logits[-1].prompt_tokens for logits in replies)
    tree = replace(tree, cost=replace(tree.cost, read_tokens=tree.cost.read_tokens + read))
    kept = setting.config.keep(tree, grown) if grown else tree
    return kept.within(setting.sampling.max_tokens)


def _grown(name: str, item: Proposal, logits: StepLogits, config: SearchBlock) -> Beam:
    newest = StepScore(
        rollout_id=name,
        step_index=len(item.steps) - 1,
        logit_plus=logits.plus,
        logit_minus=logits.minus,
        prompt_tokens=logits.prompt_tokens,
    )
    # text that only completes a step is scored as that step
    before = [old for old in item.parent.scores if old.step_index < newest.step_index]
    scores = (*before, newest)
    return Beam(
        subtree=item.parent.subtree,
        text=item.parent.text + item.completion.text,
        tokens=item.parent.tokens + item.completion.completion_tokens,
        scores=scores,
        value=config.rank(scores),
        finished=item.finished,
    )
