"""Selection: every strategy picks one rollout out of n of the stored candidates.

Ties go to the candidate drawn first (upstream: strict ``>``, BON:1052-1116). A candidate that
was cut or failed competes only when nothing else is in the window, unless
``unfinished_compete`` (upstream appended the end marker to cut texts, BON:240-253). ``random``
and ``first`` look at nothing, so they estimate pass@1. Gold answers are not an argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vlprm.config.evaluation import WITH_PRM, EvaluationConfig
from vlprm.errors import UserError
from vlprm.records import WHOLE_SOLUTION, Rollout, Selection, StepScore
from vlprm.seeds import seed_for
from vlprm.selection.draws import Windows, windows
from vlprm.selection.voting import winner

Aggregate = Callable[[Sequence[StepScore]], float]
Values = npt.NDArray[np.float64]
_NONE = -math.inf


@dataclass(frozen=True, slots=True)
class Candidates:
    """One question's rollouts, in order, with the vote key of each answer."""

    sample_id: str
    rollouts: tuple[Rollout, ...]
    keys: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Step scores by rollout: of the steps in order, and of the whole solution as one step."""

    steps: Mapping[str, Sequence[StepScore]] = field(default_factory=dict)
    whole: Mapping[str, StepScore] = field(default_factory=dict)


def group_scores(scores: Sequence[StepScore]) -> Scores:
    """Sort step scores by rollout; ``step_index`` -1 is the whole solution."""
    steps: dict[str, list[StepScore]] = {}
    whole: dict[str, StepScore] = {}
    for score in sorted(scores, key=lambda score: (score.rollout_id, score.step_index)):
        if score.step_index == WHOLE_SOLUTION:
            whole[score.rollout_id] = score
        else:
            steps.setdefault(score.rollout_id, []).append(score)
    return Scores(steps=steps, whole=whole)


def select(
    questions: Sequence[Candidates],
    scores: Mapping[str, Scores],
    judge: Scores | None,
    aggregations: Mapping[str, Aggregate],
    config: EvaluationConfig,
    *,
    seed: int,
) -> list[Selection]:
    """Selections of one policy on one benchmark, question after question.

    ``scores``: PRM name to its scores; ``judge``: an LLM judge's whole-solution scores;
    ``aggregations``: ``prm.aggregate.AGGREGATIONS``. Raises UserError when a question has
    another number of candidates than the configuration says, or a score is missing.
    """
    if "llm_judge" in config.strategies and judge is None:
        raise UserError(
            "strategy llm_judge has no judge scores",
            cure="name a model under evaluation.llm_judge or leave the strategy out",
        )
    context = _Context(scores, judge, aggregations, config, seed)
    found: list[Selection] = []
    for question in questions:
        if len(question.rollouts) != config.candidates:
            raise UserError(
                f"{len(question.rollouts)} candidates, the configuration says {config.candidates}",
                where=question.sample_id,
                cure="rerun the rollout stage or correct evaluation.ranking.candidates",
            )
        found.extend(_select_one(question, context))
    return found


@dataclass(frozen=True, slots=True)
class _Context:
    scores: Mapping[str, Scores]
    judge: Scores | None
    aggregations: Mapping[str, Aggregate]
    config: EvaluationConfig
    seed: int


def _select_one(question: Candidates, context: _Context) -> Iterator[Selection]:
    config = context.config
    drawn = {
        n: windows(context.seed, question.sample_id, config.candidates, n, config.draws)
        for n in config.n
    }
    for strategy in config.strategies:
        for prm in context.scores if strategy in WITH_PRM else [None]:
            for name in config.ways(strategy):
                pick = _picker(strategy, name, prm, question, context)
                for n, rows in drawn.items():
                    for draw, index in enumerate(pick(rows)):
                        yield Selection(
                            sample_id=question.sample_id,
                            prm=prm,
                            strategy=strategy,
                            aggregation=name,
                            n=n,
                            draw=draw,
                            rollout_id=question.rollouts[index].id,
                        )


def _picker(
    strategy: str, name: str | None, prm: str | None, question: Candidates, context: _Context
) -> Callable[[Windows], list[int]]:
    """From windows (draws, n) to one candidate index a draw."""
    config, seed = context.config, context.seed
    known = context.judge if prm is None else context.scores[prm]
    if strategy == "first":
        return lambda rows: [int(row[0]) for row in rows]
    if strategy == "random":
        return lambda rows: [
            int(row[seed_for(seed, "random", question.sample_id, len(row), draw) % len(row)])
            for draw, row in enumerate(rows)
        ]
    finished = np.array(
        [config.unfinished_compete or item.finish_reason == "stop" for item in question.rollouts]
    )
    if strategy in ("majority", "weighted_vote"):
        weights = np.ones(len(finished))
        if strategy == "weighted_vote":
            assert known is not None and name is not None
            weights = _values(question, known, name, context.aggregations)
        weights = np.where(finished, weights, 0.0)
        return lambda rows: [_vote(question, weights, row, config.deduplicate) for row in rows]
    assert known is not None
    chosen = name or ("published_reward" if strategy == "published_reward" else "margin")
    whole = strategy != "step_aggregation"
    values = _values(question, known, chosen, context.aggregations, whole=whole)
    values = np.where(finished, values, _NONE)
    return lambda rows: [int(row[np.argmax(values[row])]) for row in rows]


def _vote(question: Candidates, weights: Values, row: npt.NDArray[np.int64], once: bool) -> int:
    voters: list[int] = []
    texts: set[str] = set()
    for index in row.tolist():
        text = question.rollouts[index].text
        if not (once and text in texts):
            voters.append(index)
            texts.add(text)
    won = winner([question.keys[i] for i in voters], [float(weights[i]) for i in voters])
    if won is not None:
        return voters[won]
    # nobody votes: the first that finished, else the first
    return int(row[np.argmax(weights[row] > 0)])


def _values(
    question: Candidates,
    known: Scores,
    name: str,
    aggregations: Mapping[str, Aggregate],
    *,
    whole: bool = False,
) -> Values:
    """One value a candidate; -inf for a candidate without steps that can be told apart.

    ``margin`` is the log odds of the whole solution: same order as p(+), without its ties at 1.
    """
    whole = whole or name == "whole"
    values = []
    for rollout in question.rollouts:
        if whole:
            score = known.whole.get(rollout.id)
            if score is None:
                raise _missing(rollout, "score of the whole solution")
            if name == "margin":
                values.append(_finite(score.logit_plus - score.logit_minus, rollout))
            elif name == "whole":
                values.append(aggregations["last"]([score]))
            else:
                values.append(aggregations[name]([score]))
            continue
        steps = known.steps.get(rollout.id, ())
        if [score.step_index for score in steps] != list(range(len(rollout.steps))):
            raise _missing(rollout, f"score of each of its {len(rollout.steps)} steps")
        values.append(_finite(aggregations[name](steps), rollout) if steps else _NONE)
    return np.array(values)


def _finite(value: float, rollout: Rollout) -> float:
    if math.isnan(value):
        raise UserError("its score is not a number", where=rollout.id, cure="check the PRM")
    return value


def _missing(rollout: Rollout, what: str) -> UserError:
    return UserError(f"no {what}", where=rollout.id, cure="rerun the score stage on its shard")
