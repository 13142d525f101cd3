"""Memory of a scoring batch, from shapes."""

from __future__ import annotations

from dataclasses import dataclass

from vlprm.config.scoring_memory import batch_bound, bytes_per_token_scoring, scoring_tokens


@dataclass(frozen=True)
class Shape:
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int


B3 = Shape(2048, 16, 2, 128, 11008)
B32 = Shape(5120, 40, 8, 128, 27648)


def test_the_mlp_decides_and_cards_share_it() -> None:
    mlp = 3 * B3.mlp
    assert bytes_per_token_scoring(B3) == int(2 * (3 * 2048 + mlp) * 1.25)
    half = bytes_per_token_scoring(B32, cards=2)
    assert bytes_per_token_scoring(B32) > half > bytes_per_token_scoring(B32) / 2
    assert bytes_per_token_scoring(B3, width=4) == 2 * bytes_per_token_scoring(B3)


def test_a_batch_of_the_32b_needs_two_cards() -> None:
    gb = 10**9
    weights = 67 * gb
    assert scoring_tokens(B32, int(72 * gb) - weights) < 65_536
    assert scoring_tokens(B32, int(72 * gb) - weights // 2, cards=2) > 65_536
    assert scoring_tokens(B32, 0) == 0


def test_a_bound_is_halved_until_it_fits() -> None:
    assert batch_bound(65_536, 100_000) == 65_536
    assert batch_bound(65_536, 40_000) == batch_bound(65_536, 33_000) == 32_768
    assert batch_bound(3, 0) == 1
