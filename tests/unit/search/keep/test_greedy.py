"""Step-guided search against scripted models: what is chosen, what ends, what is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.unit.search.scripted import (
    COMMON,
    ERROR,
    ScriptedPolicy,
    ScriptedScorer,
    cut,
    end,
    ran,
    step,
)
from vlprm.protocols import Completion
from vlprm.search.keep.greedy import Greedy
from vlprm.search.loop import Found


def search(
    script: dict[str, list[Completion]],
    margins: dict[str, float],
    *,
    tokens: dict[str, int] | None = None,
    ids: Sequence[str] = ("q",),
    rank: str = "p_plus",
    spy: Callable[[ScriptedPolicy, ScriptedScorer], None] | None = None,
    **changes: object,
) -> list[Found]:
    config = Greedy.model_validate({"kind": "greedy", "n": 3, "rank_by": rank, **COMMON} | changes)
    done = ran(config, script, margins, tokens=tokens, ids=ids)
    if spy:
        spy(done.policy, done.scorer)
    return done.found


TWO_STEPS = {
    "": [step("bad"), step("good"), step("worse")],
    "good\n\n": [end("wrong 1"), end("right 7"), end("other 3")],
}
MARGINS = {"bad": 0.0, "good": 2.0, "worse": -2.0, "wrong 1": -1.0, "right 7": 3.0, "other 3": 0.0}


def test_best_step_is_taken_and_costs_are_counted() -> None:
    (result,) = search(TWO_STEPS, MARGINS)
    assert result.rollout.text == "good\n\nright 7"
    assert (result.rollout.finish_reason, result.rollout.answer) == ("stop", "7")
    assert [(s.step_index, s.logit_plus, s.rollout_id) for s in result.scores] == [
        (0, 2.0, "q#000"),
        (1, 3.0, "q#000"),
    ]
    assert (result.cost.rounds, result.cost.policy_samples, result.cost.prm_calls) == (2, 6, 6)
    assert result.cost.sampled_tokens == 6
    assert result.rollout.completion_tokens == 2


def test_all_problems_advance_together_with_seeds_of_their_own() -> None:
    def spy(policy: ScriptedPolicy, scorer: ScriptedScorer) -> None:
        assert [len(call) for call in policy.calls] == [2, 2]
        first, second = policy.calls[0]
        assert not set(first.seeds) & set(second.seeds)
        assert not set(first.seeds) & set(policy.calls[1][0].seeds)
        assert policy.calls[1][0].prefix == "good\n\n"

    both = search(TWO_STEPS, MARGINS, ids=("p", "q"), spy=spy)
    (alone,) = search(TWO_STEPS, MARGINS, ids=("q",))
    assert both[1] == alone  # no result depends on the company it is searched in


@pytest.mark.parametrize("rank", ["p_plus", "published_reward"])
def test_all_steps_negative_takes_the_least_negative(rank: str) -> None:
    script = {"": [end("a 1"), end("b 2"), end("c 3")]}
    (result,) = search(script, {"a 1": -3.0, "b 2": -1.0, "c 3": -1.0}, rank=rank)
    assert result.rollout.text == "b 2"  # b and c tie: the first


def test_published_reward_prefers_short_prompts() -> None:
    script = {"": [end("long 1"), end("short 2")]}
    margins = {"long 1": 2.0, "short 2": 1.5}
    tokens = {"long 1": 400}
    (plain,) = search(script, margins, tokens=tokens)
    (published,) = search(script, margins, tokens=tokens, rank="published_reward")
    assert (plain.rollout.text, published.rollout.text) == ("long 1", "short 2")


def test_duplicates_are_scored_once() -> None:
    script = {"": [end("a 1"), end("a 1"), end("b 2")]}
    margins = {"a 1": 1.0, "b 2": 0.0}
    (once,) = search(script, margins)
    (all_of_them,) = search(script, margins, deduplicate=False)
    assert (once.cost.prm_calls, all_of_them.cost.prm_calls) == (2, 3)
    assert once.rollout == all_of_them.rollout


def test_errors_blanks_cut_and_unparsable_candidates_are_not_steps() -> None:
    script = {"": [ERROR, step("  "), cut("half"), end("unparsable"), end("fine 4")]}
    (result,) = search(script, {"fine 4": -9.0}, n=5)
    assert result.rollout.text == "fine 4"
    assert (result.cost.prm_calls, result.cost.policy_samples) == (1, 5)


def test_no_survivor_burns_a_round_and_draws_anew() -> None:
    def spy(policy: ScriptedPolicy, scorer: ScriptedScorer) -> None:
        assert len(policy.calls) == 5
        assert len({seed for call in policy.calls for seed in call[0].seeds}) == 15

    (result,) = search({"": [cut("half"), step(""), ERROR]}, {}, spy=spy)
    assert (result.rollout.text, result.rollout.finish_reason) == ("", "length")
    assert (result.rollout.answer, result.cost.prm_calls, result.cost.rounds) == (None, 0, 5)


def test_only_errors_is_an_error_not_a_wrong_answer() -> None:
    (result,) = search({"": [ERROR] * 3}, {})
    assert (result.rollout.finish_reason, result.rollout.answer) == ("error", None)


def test_unfinished_search_has_no_answer() -> None:
    script = {"": [step("a")], "a\n\n": [step("a")]}
    (result,) = search(script, {"a": 1.0}, max_steps=2)
    assert result.rollout.text == "a\n\na\n\n"
    assert (result.rollout.finish_reason, result.rollout.answer) == ("length", None)
    assert len(result.scores) == 2


def test_token_limit_of_the_solution_ends_the_search() -> None:
    script = {"": [step("a", tokens=100)]}
    (result,) = search(script, {"a": 1.0})
    assert (result.cost.rounds, result.rollout.finish_reason) == (1, "length")


def test_box_ends_the_solution_only_when_asked() -> None:
    script = {"": [step("\\boxed{7}")], "\\boxed{7}\n\n": [end("bye")]}
    margins = {"\\boxed{7}": 1.0, "bye": 0.0}
    (at_box,) = search(script, margins, stop_at_box=True)
    (at_end,) = search(script, margins)
    assert at_box.rollout.text == "\\boxed{7}"
    assert at_end.rollout.text == "\\boxed{7}\n\nbye"


def test_bare_end_of_turn_ends_a_solution_that_has_begun() -> None:
    script = {"": [step("a 5")], "a 5\n\n": [end(""), end(""), ERROR]}
    (result,) = search(script, {"a 5": 1.0})
    assert (result.rollout.text, result.rollout.finish_reason) == ("a 5", "stop")
    assert result.cost.rounds == 2
