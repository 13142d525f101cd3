"""Draws by inverse CDF: filters in the usual order, each row by its own seed."""

from __future__ import annotations

import torch

from vlprm.engines.sampling import draw, uniforms
from vlprm.records import Sampling

LOGITS = torch.tensor([[0.0, 1.0, 2.0, -torch.inf]]).log_softmax(-1)


def sampling(**changed: float) -> Sampling:
    plain = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    return Sampling.model_validate({**plain, "max_tokens": 1, **changed})


def shares(settings: Sampling, seen: torch.Tensor | None = None) -> list[float]:
    chances = torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1]
    drawn = draw(LOGITS.expand(4000, -1), chances, settings, seen)
    return [round((drawn == token).double().mean().item(), 2) for token in range(4)]


def test_shares_are_the_models() -> None:
    assert shares(sampling()) == [round(float(p), 2) for p in LOGITS.softmax(-1)[0]]


def test_temperature_zero_is_greedy() -> None:
    assert shares(sampling(temperature=0.0)) == [0, 0, 1, 0]


def test_top_k_and_top_p_bar_the_tail() -> None:
    assert shares(sampling(top_k=1)) == [0, 0, 1, 0]
    assert shares(sampling(top_p=0.7))[0] == 0
    assert shares(sampling(top_p=0.6)) == [0, 0, 1, 0]


def test_repetition_penalty_lowers_what_was_seen() -> None:
    seen = torch.tensor([[False, False, True, False]]).expand(4000, -1)
    assert shares(sampling(repetition_penalty=2.0), seen)[2] < shares(sampling())[2]


def test_a_row_depends_on_its_seed_alone() -> None:
    assert torch.equal(uniforms([5, 6], 3)[1], uniforms([6], 3)[0])
    assert torch.equal(uniforms([6], 2)[0], uniforms([6], 3)[0, :2])
