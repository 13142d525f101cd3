"""Draws by inverse CDF: filters in the usual order, each row by its own seed."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(
    "filters", [{"top_k": 20}, {"top_p": 0.8}, {"top_k": 20, "top_p": 0.8}, {"top_p": 0.99999}]
)
def test_a_large_vocabulary_draws_the_same_from_fewer_columns(
    filters: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sampling(temperature=0.7, **filters)
    source = torch.Generator().manual_seed(3)
    logits = (4 * torch.randn(64, 5000, generator=source)).bfloat16().float()  # many ties
    chances = torch.rand(64, generator=source, dtype=torch.float64)
    narrow = draw(logits, chances, settings, None)
    monkeypatch.setattr("vlprm.engines.sampling.NUCLEUS", 5000)
    assert torch.equal(narrow, draw(logits, chances, settings, None))
    assert torch.equal(narrow, by_sorting(logits, chances, settings))


def by_sorting(logits: torch.Tensor, chances: torch.Tensor, settings: Sampling) -> torch.Tensor:
    """The definition: top-k with its ties, then top-p, over every column."""
    shares = (logits.double() / settings.temperature).softmax(-1)
    if settings.top_k:
        least = shares.topk(settings.top_k, dim=-1).values[:, -1:]
        shares = shares * (shares >= least)
        shares = shares / shares.sum(-1, keepdim=True)
    ordered, order = shares.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.zeros_like(shares).scatter(-1, order, ordered * (before < settings.top_p))
    mass = kept.cumsum(-1)
    return torch.searchsorted(mass, chances[:, None] * mass[:, -1:], right=True)[:, 0]


def test_a_barred_token_is_never_drawn_at_the_edge() -> None:
    edge = torch.full((1,), 1 - 2**-53, dtype=torch.float64)
    assert int(draw(LOGITS, edge, sampling(), None)) == 2
