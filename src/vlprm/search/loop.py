"""The loop of every search: draw, score, keep, until nothing grows.

All questions advance together, one step per round: one call of the policy and one of the PRM for
all of them. Requests and their order follow from the state alone, so a search that is run again
over a ledger of replies asks nothing twice. What differs from upstream by default: a search
without an end has no answer instead of its last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from vlprm.protocols import Completion, Policy, StepScorer
from vlprm.records import FinishReason, Record, Rollout, Sample, SearchCost, StepScore
from vlprm.search import expand
from vlprm.search.expand import Setting
from vlprm.search.state import Beam, Tree
from vlprm.seeds import seed_for
from vlprm.solutions.steps import SEPARATOR


class Found(Record):
    """One question's search: the solution that was chosen, its step scores, and what it cost."""

    rollout: Rollout
    scores: tuple[StepScore, ...]
    cost: SearchCost


def search(
    samples: Sequence[Sample],
    policy: Policy,
    scorer: StepScorer,
    setting: Setting,
    *,
    seed: int,
    key: tuple[str, ...],
) -> list[Found]:
    """Search every sample; results in the order of the samples.

    ``key``: names that the random draws depend on besides the sample: search, policy, PRM.
    Raises ValueError for logits that are not finite.
    """
    roots = tuple(Beam(subtree=number) for number in range(setting.config.roots))
    trees = [Tree(item, seed_for(seed, "search", *key, item.id), roots) for item in samples]
    for number in range(setting.config.max_steps):
        growing = [place for place, tree in enumerate(trees) if tree.live]
        if not growing:
            break
        after = _round([trees[place] for place in growing], number, policy, scorer, setting)
        for place, tree in zip(growing, after, strict=True):
            trees[place] = tree
    return [_found(tree, setting) for tree in trees]


def _round(
    trees: Sequence[Tree], number: int, policy: Policy, scorer: StepScorer, setting: Setting
) -> list[Tree]:
    asked = [expand.draw_requests(tree, number, setting) for tree in trees]
    replies = iter(policy.generate([item for part in asked for item in part], setting.of_a_step))
    drawn = [
        expand.drawn(tree, [next(replies) for _ in part], setting)
        for tree, part in zip(trees, asked, strict=True)
    ]
    wanted = [expand.score_requests(tree, number, part, setting) for tree, part in drawn]
    requests = [item for part in wanted for item in part]
    logits = iter(scorer.score(requests) if requests else [])
    return [
        expand.scored(tree, part, [next(logits) for _ in part], setting) for tree, part in drawn
    ]


def _found(tree: Tree, setting: Setting) -> Found:
    beam = tree.best()
    finish: FinishReason = "stop" if beam.finished else ("error" if tree.failed else "length")
    completion = Completion(
        text=beam.text.removesuffix(SEPARATOR) if beam.finished else beam.text,
        finish_reason=finish,
        stopped_by=None,
        prompt_tokens=tree.prompt_tokens,
        completion_tokens=beam.tokens,
        error="every candidate failed" if finish == "error" else None,
    )
    rollout = setting.rendering.rollout(tree.sample, completion, seed=tree.seed)
    if finish != "stop" and rollout.answer is not None:
        rollout = rollout.model_copy(update={"answer": None})
    return Found(
        rollout=rollout,
        scores=tuple(item.model_copy(update={"rollout_id": rollout.id}) for item in beam.scores),
        cost=SearchCost(sample_id=tree.sample.id, **asdict(tree.cost)),
    )
