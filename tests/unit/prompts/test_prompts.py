"""Prompts: slots are filled exactly, and a used prompt is never edited."""

from __future__ import annotations

import pytest

from vlprm import prompts
from vlprm.errors import UserError


def test_values_are_put_in_as_they_are() -> None:
    assert prompts.render("policy_mini_v1", question="{{ x }} <b>") == "{{ x }} <b>"


def test_slots_and_values_must_agree() -> None:
    with pytest.raises(UserError, match="slots"):
        prompts.render("policy_mini_v1")
    with pytest.raises(UserError, match="slots"):
        prompts.render("prm_system_v1", question="x")


def test_an_unknown_prompt_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="policy_mini_v1"):
        prompts.render("policy_mini_v9")


def test_sha256_of_all_leaves_out_none() -> None:
    assert set(prompts.sha256_of_all("policy_mini_v1", None)) == {"policy_mini_v1"}
