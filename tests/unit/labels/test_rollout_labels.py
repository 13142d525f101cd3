"""Labelling rules: every case of the published table, and the alternatives."""

from __future__ import annotations

from typing import Any

import pytest

from vlprm.label_rules import RULES, LabelRule
from vlprm.label_rules.rule import EstimateRule
from vlprm.labels.rollout_labels import label_rollout
from vlprm.records import Rollout, Section, Step, StepEstimate, Verdict


def rollout(n: int = 3, **changed: Any) -> Rollout:
    steps = tuple(Step(index=i, section=Section.REASONING, text="s", end=i) for i in range(n))
    plain = {
        "id": "q#0", "sample_id": "q", "text": "t", "steps": steps, "answer": "1",
        "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1, "seed": 0,
    }  # fmt: skip
    return Rollout.model_validate({**plain, **changed})


def values(*right: int | None) -> list[StepEstimate]:
    return [
        StepEstimate(
            rollout_id="q#0",
            step_index=i,
            n_correct=r or 0,
            n_graded=0 if r is None else 4,
            n_failed=4 if r is None else 0,
        )
        for i, r in enumerate(right)
    ]


def says(first_error: int | None, status: str = "ok") -> Verdict:
    return Verdict.model_validate(
        {"rollout_id": "q#0", "judge": "j", "first_error": first_error, "status": status, "raw": ""}
    )


def rule(name: str = "consensus", after: str = "stop") -> LabelRule:
    keys: dict[str, Any] = {"name": name, "after_first_error": after}
    kind = RULES[name]
    if issubclass(kind, EstimateRule):
        keys["threshold"] = 0.0
    return kind.model_validate(keys)


@pytest.mark.parametrize(
    ("name", "estimates", "verdict", "labels", "why"),
    [
        ("consensus", values(4, 2, 1), says(None), [1, 1, 1], None),
        ("consensus", values(4, 0, 1), says(None), [], "estimates disagree"),
        ("consensus", values(4, 4, 4), says(1), [1, 0], None),
        ("consensus", values(None, 4, 4), says(None), [], "estimate missing"),
        ("consensus", values(None, 4, 4), says(0), [0], None),
        ("consensus", values(4, 4, 4), None, [], "no verdict"),
        ("consensus", values(4, 4, 4), says(None, "unparsed"), [], "unparsed"),
        ("agreement", values(4, 0, 0), says(1), [1, 0], None),
        ("agreement", values(0, 0, 0), says(1), [], "different first errors"),
        ("agreement", values(4, 4, 0), says(1), [], "find that step right"),
        ("agreement", values(4, None, 0), says(1), [], "estimate missing"),
        ("agreement", values(4, 0, None), says(1), [1, 0], None),
        ("monte_carlo", values(4, 0, 1), None, [1, 0], None),
        ("judge", [], says(2), [1, 1, 0], None),
    ],
)
def test_every_case(
    name: str,
    estimates: list[StepEstimate],
    verdict: Verdict | None,
    labels: list[int],
    why: str | None,
) -> None:
    found, reason = label_rollout(rollout(), estimates, verdict, rule(name))
    assert [item.label for item in found] == labels
    assert (reason is None) == (why is None)
    assert why is None or why in str(reason)


@pytest.mark.parametrize(("after", "last"), [("negative", 0), ("masked", None)])
def test_after_the_first_error(after: str, last: int | None) -> None:
    found, _ = label_rollout(rollout(), values(4, 4, 4), says(1), rule(after=after))
    assert [item.label for item in found] == [1, 0, last]


@pytest.mark.parametrize("changed", [{"steps": ()}, {"finish_reason": "length"}])
def test_unusable_rollouts_are_dropped_with_a_reason(changed: dict[str, Any]) -> None:
    found, reason = label_rollout(rollout(**changed), [], None, rule())
    assert not found
    assert reason


def test_too_few_graded_continuations_say_only_that_a_step_can_be_right() -> None:
    found, reason = label_rollout(rollout(), values(4, 0, 4), says(None), rule(), min_graded=5)
    assert (found, reason) == ([], "estimate missing or too few graded continuations")
    found, _ = label_rollout(rollout(), values(4, 1, 4), says(None), rule(), min_graded=5)
    assert [item.label for item in found] == [1, 1, 1]


def test_evidence_of_another_rollout_is_refused() -> None:
    with pytest.raises(ValueError, match="evidence of"):
        label_rollout(rollout(id="q#1"), values(1, 1, 1), None, rule())
