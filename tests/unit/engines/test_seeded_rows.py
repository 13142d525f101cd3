"""A row's draws follow its seed and its token number, wherever the row stands."""

from __future__ import annotations

import pytest
import torch

from vlprm.engines import seeded_rows
from vlprm.engines.sampling import draw, uniforms
from vlprm.engines.seeded_rows import SeededRows
from vlprm.records import Sampling

PLAIN = Sampling(temperature=1, top_p=1, top_k=0, repetition_penalty=1, max_tokens=1)
LOGITS = torch.randn(4, 50, generator=torch.Generator().manual_seed(1))


def drawn(rows: SeededRows, logits: torch.Tensor = LOGITS) -> dict[int, int]:
    places, tokens = rows.draw(logits)
    return dict(zip(places.tolist(), tokens.tolist(), strict=True))


def wanted(row: int, seed: int, number: int, sampling: Sampling = PLAIN) -> int:
    chance = uniforms([seed], number + 1)[:, number]
    return int(draw(LOGITS[row : row + 1], chance, sampling, None))


def test_draws_are_those_of_the_other_engine() -> None:
    rows = SeededRows()
    rows.add(0, PLAIN, 7, [1], [])
    rows.add(2, PLAIN, 8, [1], [3] * 300)
    assert drawn(rows) == {0: wanted(0, 7, 0), 2: wanted(2, 8, 300)}


def test_a_request_takes_its_draws_along() -> None:
    rows = SeededRows()
    tokens: list[int] = []
    for row, seed in enumerate((5, 6, 7)):
        rows.add(row, PLAIN, seed, [1], tokens)
    rows.move(2, 0, swap=True)
    rows.remove(1)
    rows.move(2, 1, swap=False)
    assert drawn(rows) == {0: wanted(0, 7, 0), 1: wanted(1, 5, 0)}
    tokens.append(9)
    assert drawn(rows) == {0: wanted(0, 7, 1), 1: wanted(1, 5, 1)}
    rows.move(3, 1, swap=False)  # a row that is not ours takes its place
    assert set(drawn(rows)) == {0}


def test_rows_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = SeededRows()
    for row in range(4):
        rows.add(row, PLAIN, row, [1], [])
    whole = drawn(rows)
    monkeypatch.setattr(seeded_rows, "ROWS_PER_DRAW", 1)
    assert drawn(rows) == whole


def test_each_request_keeps_its_settings() -> None:
    greedy = PLAIN.model_copy(update={"temperature": 0.0})
    rows = SeededRows()
    rows.add(0, greedy, 1, [1], [])
    rows.add(1, PLAIN, 2, [1], [])
    assert drawn(rows) == {0: int(LOGITS[0].argmax()), 1: wanted(1, 2, 0)}


def test_what_a_request_said_is_remembered_through_moves_and_new_slots() -> None:
    settings = PLAIN.model_copy(update={"temperature": 0.0, "repetition_penalty": 1e6})
    logits = torch.zeros(2, 4)
    logits[:] = torch.tensor([4.0, 3.0, 2.0, 1.0])
    first: list[int] = []
    rows = SeededRows()
    rows.add(0, settings, 1, [0], first)
    assert drawn(rows, logits) == {0: 1}
    first.append(1)
    rows.add(1, settings, 2, [2], [])
    rows.move(0, 1, swap=True)
    assert drawn(rows, logits) == {1: 2, 0: 0}
    rows.remove(1)
    rows.add(1, settings, 3, [3], [])
    assert drawn(rows, logits)[1] == 0
