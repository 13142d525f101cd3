"""From the step scores of a rollout to one number. Larger is better for every aggregation.

Only raw logits are stored, so these are pure functions in float64; upstream's bfloat16 softmax
and its ties (upstream eval PRM:174) do not arise here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from vlprm.records import StepScore

REWARD_POWER, LENGTH_POWER = 0.3, 0.6
Aggregation = Literal[
    "min", "mean", "product", "last", "max", "sum_logit", "mean_logit", "published_reward"
]
"""The names of :data:`AGGREGATIONS`."""


def p_plus(score: StepScore) -> float:
    """Probability of ``+`` against ``-`` (two-way softmax), without overflow.

    Raises ValueError for a logit that is not finite.
    """
    return _sigmoid(_margin(score))


def p_minus(score: StepScore) -> float:
    """Probability of ``-`` against ``+``."""
    return _sigmoid(-_margin(score))


def published_reward(plus: float, minus: float, prompt_tokens: int) -> float:
    """Reward of the published evaluation (upstream eval PRM:191-197).

    ``plus``/``minus`` are the two probabilities, ``prompt_tokens`` the length of the prompt they
    were read after, images included. -1 for a label ``-``; a tie is labelled ``+``.
    """
    if plus < minus:
        return -1.0
    return float(plus**REWARD_POWER / prompt_tokens**LENGTH_POWER)


def published_rank(plus: float, minus: float, prompt_tokens: int) -> float:
    """A number whose first maximum is the candidate upstream selects (BON:1052-1116).

    Positive labels rank by reward; when every label is ``-`` the smallest ``minus`` wins.
    """
    reward = published_reward(plus, minus, prompt_tokens)
    return reward if reward > 0 else -1.0 - minus


def _sigmoid(margin: float) -> float:
    if margin >= 0:
        return 1.0 / (1.0 + math.exp(-margin))
    return math.exp(margin) / (1.0 + math.exp(margin))


def _margin(score: StepScore) -> float:
    margin = score.logit_plus - score.logit_minus
    if not math.isfinite(margin):
        raise ValueError(f"{score.rollout_id} step {score.step_index}: logits are not finite")
    return margin


def _minimum(scores: Sequence[StepScore]) -> float:
    return min(map(p_plus, scores))


def _mean(scores: Sequence[StepScore]) -> float:
    return math.fsum(map(p_plus, scores)) / len(scores)


def _product(scores: Sequence[StepScore]) -> float:
    return math.prod(map(p_plus, scores))


def _last(scores: Sequence[StepScore]) -> float:
    return p_plus(scores[-1])


def _maximum(scores: Sequence[StepScore]) -> float:
    return max(map(p_plus, scores))


def _sum_logit(scores: Sequence[StepScore]) -> float:
    return math.fsum(map(_margin, scores))


def _mean_logit(scores: Sequence[StepScore]) -> float:
    return _sum_logit(scores) / len(scores)


def _published(scores: Sequence[StepScore]) -> float:
    last = scores[-1]
    return published_rank(p_plus(last), p_minus(last), last.prompt_tokens)


def _checked(
    aggregate: Callable[[Sequence[StepScore]], float],
) -> Callable[[Sequence[StepScore]], float]:
    def checked(scores: Sequence[StepScore]) -> float:
        if not scores:
            raise ValueError("no step scores to aggregate")
        return aggregate(scores)

    return checked


AGGREGATIONS: dict[str, Callable[[Sequence[StepScore]], float]] = {
    "min": _checked(_minimum),
    "mean": _checked(_mean),
    "product": _checked(_product),
    "last": _checked(_last),
    "max": _checked(_maximum),
    "sum_logit": _checked(_sum_logit),
    "mean_logit": _checked(_mean_logit),
    "published_reward": _checked(_published),
}
"""Aggregations by name; scores are in step order. Probabilities for min, mean, product, last and
max; log odds for sum_logit and mean_logit; see :func:`published_rank` for published_reward, which
reads the last score (the one whose prompt holds the whole solution). Each raises ValueError for no
scores or logits that are not finite."""
