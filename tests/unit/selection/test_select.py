"""Selection among stored candidates: each strategy, ties, windows, missing scores."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vlprm.config.evaluation import EvaluationConfig
from vlprm.errors import UserError
from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.records import FinishReason, Rollout, Section, Selection, Step, StepScore
from vlprm.selection.draws import windows
from vlprm.selection.select import Candidates, group_scores, select
from vlprm.selection.voting import winner

ALL = (
    "first",
    "random",
    "majority",
    "weighted_vote",
    "best_of_n_orm",
    "published_reward",
    "step_aggregation",
    "llm_judge",
)


def config(**changes: object) -> EvaluationConfig:
    values: dict[str, object] = {
        "candidates": 4,
        "n": (1, 2, 4),
        "draws": 4,
        "strategies": ALL,
        "aggregations": ("min", "mean"),
        "vote_weights": ("whole", "mean"),
        "deduplicate": False,
        "unfinished_compete": False,
    }
    return EvaluationConfig.model_validate(values | changes)


def rollout(
    number: int, answer: str | None, finish: FinishReason = "stop", steps: int = 2
) -> Rollout:
    return Rollout(
        id=f"q#{number:03d}",
        sample_id="q",
        text=f"text {number}",
        steps=tuple(
            Step(index=i, section=Section.REASONING, text=f"{i}", end=i) for i in range(steps)
        ),
        answer=answer,
        finish_reason=finish,
        prompt_tokens=1,
        completion_tokens=1,
        seed=0,
    )


def score(number: int, index: int, margin: float, tokens: int = 100) -> StepScore:
    return StepScore(
        rollout_id=f"q#{number:03d}",
        step_index=index,
        logit_plus=margin,
        logit_minus=0.0,
        prompt_tokens=tokens,
    )


def all_scores(rows: list[list[float]]) -> list[StepScore]:
    """Rows of margins: the whole solution, then each step."""
    return [score(i, k - 1, margin) for i, row in enumerate(rows) for k, margin in enumerate(row)]


ROWS = [[0.0, 9.0, -1.0], [2.0, 1.0, 1.0], [2.0, 3.0, 0.0], [1.0, 0.5, 0.5]]
ANSWERS = ["A", "B", "A", None]


def run(rows: list[list[float]] = ROWS, **changes: object) -> list[Selection]:
    rollouts = tuple(rollout(i, answer) for i, answer in enumerate(ANSWERS))
    question = Candidates("q", rollouts, tuple(ANSWERS))
    grouped = group_scores(all_scores(rows))
    return select([question], {"prm": grouped}, grouped, AGGREGATIONS, config(**changes), seed=3)


def of_all(selections: list[Selection]) -> dict[tuple[str, str | None], str]:
    return {(s.strategy, s.aggregation): s.rollout_id for s in selections if s.n == 4}


def test_each_strategy_picks_by_its_own_measure() -> None:
    picked = of_all(run())
    assert picked["first", None] == "q#000"
    assert picked["majority", None] == "q#000"  # A twice; the first A stands for it
    assert picked["best_of_n_orm", None] == "q#001"  # 1 and 2 tie: the first
    assert picked["llm_judge", None] == "q#001"
    assert picked["published_reward", None] == "q#001"
    assert picked["step_aggregation", "min"] == "q#001"
    # mean p+: 0 -> (.9999+.2689)/2 = .634, 1 -> .731, 2 -> (.953+.5)/2 = .726, 3 -> .622
    assert picked["step_aggregation", "mean"] == "q#001"
    # whole p+: A .5 + .881 > B .881; the heavier A is candidate 2
    assert picked["weighted_vote", "whole"] == "q#002"


def test_every_strategy_has_every_n_and_draw_once() -> None:
    selections = run()
    keys = Counter((s.strategy, s.prm, s.aggregation, s.n, s.draw) for s in selections)
    assert set(keys.values()) == {1}
    assert len(keys) == (4 + 4 + 1) * 10  # n=4 is one draw; 10 strategy variants
    assert {s.prm for s in selections if s.strategy in {"majority", "random", "llm_judge"}} == {
        None
    }
    assert {s.prm for s in selections if s.strategy == "weighted_vote"} == {"prm"}


def test_published_reward_with_all_negative_takes_the_smallest_p_minus() -> None:
    rows = [[-3.0, 0, 0], [-1.0, 0, 0], [-2.0, 0, 0], [-1.0, 0, 0]]
    assert of_all(run(rows))["published_reward", None] == "q#001"


def test_published_reward_prefers_the_shorter_prompt() -> None:
    rollouts = tuple(rollout(i, "A", steps=0) for i in range(2))
    scores = group_scores([score(0, -1, 2.0, tokens=400), score(1, -1, 1.5, tokens=100)])
    chosen = config(
        candidates=2, n=(2,), strategies=("published_reward", "best_of_n_orm", "step_aggregation")
    )
    picked = {
        s.strategy: s.rollout_id
        for s in select(
            [Candidates("q", rollouts, ("A", "A"))],
            {"prm": scores},
            None,
            AGGREGATIONS,
            chosen,
            seed=0,
        )
    }
    assert picked["published_reward"] == "q#001"
    assert picked["best_of_n_orm"] == "q#000"
    assert picked["step_aggregation"] == "q#000"  # nobody has steps: the first


@pytest.mark.parametrize(("compete", "expected"), [(False, "q#001"), (True, "q#000")])
def test_cut_solutions_compete_only_with_the_parity_switch(compete: bool, expected: str) -> None:
    rollouts = (rollout(0, None, "length", 0), rollout(1, "A", steps=0))
    scores = group_scores([score(0, -1, 5.0), score(1, -1, -5.0)])
    chosen = config(candidates=2, n=(2,), strategies=("best_of_n_orm",), unfinished_compete=compete)
    question = Candidates("q", rollouts, (None, "A"))
    (only,) = select([question], {"prm": scores}, None, AGGREGATIONS, chosen, seed=0)
    assert only.rollout_id == expected


def test_duplicate_texts_vote_once_only_when_asked() -> None:
    rollouts = tuple(
        rollout(i, a).model_copy(update={"text": t})
        for i, (a, t) in enumerate([("A", "same"), ("A", "same"), ("B", "x"), ("B", "y")])
    )
    question = Candidates("q", rollouts[:4], ("A", "A", "B", "B"))

    def pick(deduplicate: bool) -> str:
        chosen = config(n=(4,), strategies=("majority",), deduplicate=deduplicate)
        return select([question], {}, None, AGGREGATIONS, chosen, seed=0)[0].rollout_id

    assert pick(False) == "q#000"
    assert pick(True) == "q#002"


def test_selection_does_not_depend_on_other_questions_or_strategies() -> None:
    alone = run(strategies=("random",))
    among = [s for s in run() if s.strategy == "random"]
    assert alone == among


def test_missing_scores_are_named() -> None:
    with pytest.raises(UserError, match=r"q#000: no score of each of its 2 steps"):
        run([row[:1] for row in ROWS])
    with pytest.raises(UserError, match="4 candidates, the configuration says 5"):
        run(candidates=5, n=(5,))
    question = Candidates("q", (rollout(0, "A"),), ("A",))
    chosen = config(candidates=1, n=(1,), strategies=("llm_judge",))
    with pytest.raises(UserError, match="no judge scores"):
        select([question], {}, None, AGGREGATIONS, chosen, seed=0)


def test_windows_use_every_candidate_equally_often_and_nest() -> None:
    for n in (1, 2, 4, 8):
        rows = windows(7, "q", 16, n, 16)
        assert rows.shape == (16, n)
        assert set(Counter(rows.ravel().tolist()).values()) == {n}
        assert (np.diff(rows, axis=1) > 0).all()
        if n < 8:
            wider = windows(7, "q", 16, 2 * n, 16)
            assert all(set(a) <= set(b) for a, b in zip(rows.tolist(), wider.tolist(), strict=True))
    assert windows(7, "q", 16, 16, 16).tolist() == [list(range(16))]
    # four draws of four are a partition
    assert sorted(windows(7, "q", 16, 4, 4).ravel().tolist()) == list(range(16))
    assert windows(7, "q", 4, 2, 9).shape == (9, 2)
    assert (windows(7, "q", 16, 4, 4) != windows(7, "p", 16, 4, 4)).any()
    with pytest.raises(ValueError, match="cannot draw 5 of 4"):
        windows(7, "q", 4, 5, 1)


def test_votes() -> None:
    assert winner(["a", "b", "b"]) == 1
    assert winner(["b", "a"]) == 0  # tie: seen first
    assert winner([None, None, "c"]) == 2  # no answer never wins
    assert winner([None]) is None
    assert winner(["a", "b"], [0.2, 0.3]) == 1
    assert winner(["a", "b", "a"], [0.2, 0.3, 0.25]) == 2  # the heaviest a
    assert winner(["a", "b"], [-1.0, float("nan")]) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": (2, 1)}, "ascending"),
        ({"n": (1, 8)}, "more than candidates"),
        ({"aggregations": ()}, "at least one of aggregations"),
        ({"vote_weights": ("mean", "mean")}, "names 'mean' twice"),
        ({"strategies": ("oracle",)}, "Input should be"),
        ({"drawz": 3}, "Extra inputs"),
    ],
)
def test_bad_configuration(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)
