"""Label rules as the configuration sees them, and what a rule knows before all is drawn."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from vlprm.label_rules import RULES, AnyLabelRule, Evidence
from vlprm.label_rules.monte_carlo import MonteCarlo
from vlprm.label_rules.rule import EstimateRule

READ: TypeAdapter[Any] = TypeAdapter(AnyLabelRule)


def keys(name: str, **more: object) -> dict[str, object]:
    threshold = {"threshold": 0.0} if issubclass(RULES[name], EstimateRule) else {}
    return {"name": name, "after_first_error": "stop", **threshold, **more}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_read_by_its_name(name: str) -> None:
    rule = READ.validate_python(keys(name))
    assert type(rule) is RULES[name]
    assert READ.validate_json(rule.model_dump_json()) == rule
    assert rule.needs, "a rule without evidence labels nothing"
    assert (Evidence.ESTIMATES in rule.needs) == isinstance(rule, EstimateRule)


def test_each_asks_for_its_own_evidence() -> None:
    assert RULES["monte_carlo"].needs == {Evidence.ESTIMATES}
    assert RULES["judge"].needs == {Evidence.VERDICTS}
    assert RULES["consensus"].needs == RULES["agreement"].needs == set(Evidence)


@pytest.mark.parametrize(
    "wrong", [{"name": "nobody"}, keys("judge", threshold=0.0), {"name": "consensus"}]
)
def test_what_is_no_rule_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(wrong)


def rule(threshold: float) -> MonteCarlo:
    return MonteCarlo(name="monte_carlo", threshold=threshold, after_first_error="stop")


def ends(correct: int, graded: int, remaining: int, failed_as: str) -> set[tuple[int, int]]:
    """Every (right, graded) that so many more continuations can lead to."""
    return {
        (correct + right, graded + new)
        for new in range(remaining + 1)
        for right in range(new + 1)
        if failed_as == "missing" or new == remaining
    }


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("failed_as", ["missing", "wrong"])
def test_decided_is_exactly_when_nothing_can_change(threshold: float, failed_as: str) -> None:
    """Against every end, for up to six draws: never decided too soon."""
    own = rule(threshold)
    for k, min_graded in ((draws, m) for draws in range(1, 7) for m in range(1, draws + 1)):
        for graded, failed in product(range(k + 1), repeat=2):
            for correct in range(graded + 1) if graded + failed <= k else ():
                remaining = k - graded - failed
                now = own.above(correct, graded, min_graded)
                then = {own.above(*end, min_graded) for end in ends(
                    correct, graded, remaining, failed_as)}  # fmt: skip
                said = own.decided(correct, graded, remaining, min_graded)
                if said:
                    assert then == {now}
                elif failed_as == "missing":
                    assert then != {now}, "decided too late"


def test_at_threshold_0_the_first_right_one_decides() -> None:
    own = rule(0.0)
    assert own.decided(1, 1, 15, 8)
    assert own.above(1, 1, 8) is True
    assert not own.decided(0, 15, 1, 8)
    assert own.above(0, 8, 8) is False
    assert own.above(0, 7, 8) is None


def test_a_higher_threshold_waits_until_it_is_certain() -> None:
    own = rule(0.5)
    assert not own.decided(8, 8, 8, 4)
    assert own.decided(9, 9, 7, 4)
    assert own.decided(0, 8, 8, 4)
    assert not own.decided(0, 7, 9, 4)
