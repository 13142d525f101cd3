"""Tokens per question: what is drawn grows with n, what is read depends on the view."""

from __future__ import annotations

import polars as pl
import pytest

from vlprm.config.evaluation import EvaluationConfig
from vlprm.errors import UserError
from vlprm.metrics.costs import cost_metrics
from vlprm.records import WHOLE_SOLUTION

RANKING = EvaluationConfig(
    candidates=2,
    n=(1, 2),
    draws=1,
    strategies=("random", "majority", "best_of_n_orm", "weighted_vote", "llm_judge"),
    aggregations=(),
    vote_weights=("whole", "min"),
    deduplicate=False,
    unfinished_compete=False,
)
IDS = [f"{q}/small#{k:03d}" for q in "ab" for k in range(2)]
DRAWN = pl.DataFrame({"id": IDS, "sample_id": list("aabb"), "completion_tokens": [10, 20, 30, 40]})
WHOLE = pl.DataFrame(
    {"rollout_id": IDS, "step_index": [WHOLE_SOLUTION] * 4, "prompt_tokens": [100] * 4}
)
STEPS = pl.DataFrame(
    {
        "rollout_id": [IDS[0], IDS[0], IDS[2]],
        "step_index": [0, 1, 0],
        "prompt_tokens": [60, 120, 80],
    }
)
COSTS = pl.DataFrame(
    {"sample_id": ["a", "b"], "sampled_tokens": [500, 700], "read_tokens": [9000, 11000]}
)


def test_tokens_of_every_row() -> None:
    read = {"prm": pl.concat([WHOLE, STEPS]), None: WHOLE}
    searched = {("prm", "beam", 8): COSTS}
    found = {
        (item.prm, item.strategy, item.aggregation, item.n, item.name): item.value
        for item in cost_metrics("bench", "small", DRAWN, read, searched, RANKING)
    }

    def both(*row: object) -> tuple[float | None, float | None]:
        return found[(*row, "policy_tokens")], found[(*row, "read_tokens")]  # type: ignore[index]

    assert both(None, "pass@1", None, 1) == (25, 0)
    assert both(None, "random", None, 2) == (25, 0)
    assert both(None, "majority", None, 2) == (50, 0)
    assert both(None, "oracle", None, 2) == (50, 0)
    assert both(None, "llm_judge", None, 2) == (50, 200)
    assert both("prm", "best_of_n_orm", None, 2) == (50, 200)
    assert both("prm", "weighted_vote", "whole", 2) == (50, 200)
    # two candidates have no steps: nothing of them is read
    assert both("prm", "weighted_vote", "min", 2) == (50, 100)
    assert both("prm", "beam", None, 8) == (600, 10000)


def test_a_candidate_without_its_score_is_named() -> None:
    with pytest.raises(UserError, match="ids without scores of prm: b/small#001"):
        cost_metrics("bench", "small", DRAWN, {"prm": WHOLE[:3]}, {}, RANKING)
