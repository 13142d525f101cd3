"""Windows of draws: which of them share no candidate."""

from __future__ import annotations

import itertools

import pytest

from vlprm.selection.draws import disjoint, windows


@pytest.mark.parametrize("candidates", [4, 7, 16])
@pytest.mark.parametrize("draws", [1, 2, 4, 5, 20])
def test_disjoint_pairs_are_those_whose_windows_never_meet(candidates: int, draws: int) -> None:
    for n in range(1, candidates + 1):
        told = set(disjoint(candidates, n, draws))
        pairs = itertools.combinations(range(draws if n < candidates else 1), 2)
        # draws of two orders may miss each other by chance
        apart = {(a, b) for a, b in pairs if a // candidates == b // candidates}
        for question in range(12):
            rows = [set(row) for row in windows(1, f"q{question}", candidates, n, draws).tolist()]
            apart = {(a, b) for a, b in apart if not rows[a] & rows[b]}
        assert told == apart, n
