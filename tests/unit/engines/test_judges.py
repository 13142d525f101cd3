"""A judge behind an address says what it lacks."""

from __future__ import annotations

import pytest

from vlprm.config.labels import JudgeConfig
from vlprm.engines import load_judge
from vlprm.errors import UserError
from vlprm.io.images import ImageStore


def test_an_api_judge_names_the_variable_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    config = JudgeConfig(
        name="j", engine="api", prompt="judge_stepwise_v1", model="m", max_tokens=9,
        base_url="http://localhost:1/v1", api_key_env="NO_SUCH_KEY", concurrency=1,
    )  # fmt: skip
    with pytest.raises(UserError, match="NO_SUCH_KEY is not set"):
        load_judge(config, ImageStore())
