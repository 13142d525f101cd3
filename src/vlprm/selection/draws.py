"""Which n of a question's candidates a strategy sees.

Windows on a seeded ring: for draw d the window of n starts d/draws of the way round one random
order of the candidates. Every candidate is used equally often (exactly so when draws divides
the candidates), windows of one draw nest for growing n, and all strategies and PRMs see the
same windows, so their differences are paired. Further draws than candidates get a new order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vlprm.seeds import seed_for

Windows = npt.NDArray[np.int64]


def windows(seed: int, sample_id: str, candidates: int, n: int, draws: int) -> Windows:
    """Indices of the candidates seen, shape (draws, n), ascending in a row.

    All candidates (n = candidates) are one draw. Raises ValueError for n > candidates.
    """
    if not 1 <= n <= candidates:
        raise ValueError(f"{sample_id}: cannot draw {n} of {candidates} candidates")
    if n == candidates:
        return np.arange(candidates, dtype=np.int64)[None, :]
    rows = []
    orders: dict[int, Windows] = {}
    for draw in range(draws):
        lap, place = divmod(draw, candidates)
        here = min(draws - lap * candidates, candidates)  # draws on this ring
        if lap not in orders:
            order = np.random.default_rng(seed_for(seed, "draw", sample_id, lap))
            orders[lap] = order.permutation(candidates).astype(np.int64)
        start = place * candidates // here
        rows.append(np.sort(orders[lap][(start + np.arange(n)) % candidates]))
    return np.stack(rows)


def disjoint(candidates: int, n: int, draws: int) -> list[tuple[int, int]]:
    """Pairs of draws of :func:`windows` that share no candidate."""
    if n == candidates:
        return []
    found = []
    for one in range(draws):
        for other in range(one + 1, draws):
            if one // candidates != other // candidates:
                continue  # another order: they may meet anywhere
            here = min(draws - one // candidates * candidates, candidates)
            start, end = ((draw % candidates) * candidates // here for draw in (one, other))
            if n <= end - start <= candidates - n:
                found.append((one, other))
    return found
