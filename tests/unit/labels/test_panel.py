"""The panel of judges as a filter."""

from __future__ import annotations

from typing import Any

import pytest

from vlprm.label_rules.rule import Drop
from vlprm.labels.panel import refused
from vlprm.records import Verdict


def verdict(said: str) -> Verdict | None:
    """``+``: all right; a number: the first error; ``?``: unparsed; ``-``: none."""
    if said == "-":
        return None
    error = int(said) if said.isdigit() else None
    status: Any = "unparsed" if said == "?" else "ok"
    return Verdict(rollout_id="r", judge="j", first_error=error, status=status, raw="")


@pytest.mark.parametrize(
    ("said", "usable", "same_conclusion"),
    [
        ("+++", None, None),
        ("012", None, None),
        ("++0", None, Drop.PANEL_DISAGREES),
        ("0++", None, Drop.PANEL_DISAGREES),
        ("++?", Drop.PANEL_UNUSABLE, Drop.PANEL_UNUSABLE),
        ("?++", Drop.PANEL_UNUSABLE, Drop.PANEL_UNUSABLE),
        ("0-0", Drop.PANEL_UNUSABLE, Drop.PANEL_UNUSABLE),
        ("+", None, None),
    ],
)
def test_filter(said: str, usable: Drop | None, same_conclusion: Drop | None) -> None:
    verdicts = [verdict(one) for one in said]
    assert refused("all", verdicts) is None
    assert refused("usable", verdicts) == usable
    assert refused("same_conclusion", verdicts) == same_conclusion
