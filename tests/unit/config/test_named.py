"""Names that the configuration checks come back as they were given."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from vlprm.config.named import ShownQuestion


@pytest.mark.parametrize("name", ["trained", "policy", "policy_mini_v1", "policy_boxed_v1"])
def test_how_a_question_is_shown_is_kept_as_it_was_named(name: str) -> None:
    """``policy_mini_v1`` is nothing but the question."""
    assert TypeAdapter(ShownQuestion).validate_python(name) == name
