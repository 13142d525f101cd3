"""Votes over final answers. Equal answers share a key (``answers.votes.vote_keys``).

``None`` (no answer) never votes: upstream let it win (eval spec 7.1, item 22). Upstream's
``Counter.most_common`` tie rule is kept: the answer seen first wins.
"""

from __future__ import annotations

from collections.abc import Sequence


def winner(keys: Sequence[str | None], weights: Sequence[float] | None = None) -> int | None:
    """Index of the candidate that stands for the winning answer.

    It is the heaviest voter of the winning answer, the first among equals; without weights
    simply the first. ``weights`` are ≥ 0; a negative or NaN weight counts as none. None when
    nobody votes or all weights are zero.
    """
    if weights is None:
        weights = [1.0] * len(keys)
    votes: dict[str, float] = {}
    heaviest: dict[str, int] = {}
    for index, (key, weight) in enumerate(zip(keys, weights, strict=True)):
        if key is None or not weight > 0:
            continue
        votes[key] = votes.get(key, 0.0) + weight
        if key not in heaviest or weight > weights[heaviest[key]]:
            heaviest[key] = index
    if not votes:
        return None
    # max returns the first maximum, and dicts keep the order of first votes
    return heaviest[max(votes, key=votes.__getitem__)]
