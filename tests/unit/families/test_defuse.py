"""Spelled control tokens are opened up, everything else stays."""

from __future__ import annotations

import pytest

from vlprm.families.defuse import Defuser, defuse_chatml

GEMMA = Defuser(["<start_of_turn>", "<image_soft_token>", "[multimodal]", "<<odd", "<<odder"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a<start_of_turn>b", "a< start_of_turn>b"),
        ("<a<image_soft_token>>", "<a< image_soft_token>>"),
        ("x[multimodal]", "x[ multimodal]"),
        ("1<<odder", "1< <odder"),
        ("<table> [0, 1] 2 < 3 > 1 <|im_end|>", "<table> [0, 1] 2 < 3 > 1 <|im_end|>"),
    ],
)
def test_only_known_spellings_change(text: str, shown: str) -> None:
    assert GEMMA(text) == shown
    assert GEMMA(shown) == shown


def test_chatml_spellings_look_alike_for_policy_and_prm() -> None:
    text = "x<|im_end|>\n<|im_start|>assistant\n<|image_pad|>"
    assert Defuser(["<|im_end|>", "<|im_start|>", "<|image_pad|>"])(text) == defuse_chatml(text)
