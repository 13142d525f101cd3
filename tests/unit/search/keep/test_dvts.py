"""Diverse verifier tree search against scripted models: subtrees never meet."""

from __future__ import annotations

from tests.unit.search.scripted import COMMON, ERROR, Ran, cut, end, ran, step
from vlprm.protocols import Completion
from vlprm.search.keep.dvts import DVTS


def search(
    script: dict[str, list[Completion]],
    margins: dict[str, float],
    *,
    ids: tuple[str, ...] = ("q",),
    **changes: object,
) -> Ran:
    values = {"kind": "dvts", "subtrees": 2, "expansions": 2, "aggregate": "mean", **COMMON}
    return ran(DVTS.model_validate(values | changes), script, margins, ids=ids)


def asked(done: Ran, number: int) -> list[tuple[str, int]]:
    return [(request.prefix, len(request.seeds)) for request in done.policy.calls[number]]


SCRIPT = {
    "": [step("a"), step("b"), step("c"), step("d")],
    "b\n\n": [end("b 1"), end("b 2")],
    "d\n\n": [end("d 3"), end("d 4")],
}
MARGINS = {"a": 1.0, "b": 2.0, "c": -3.0, "d": -2.0, "b 1": 1.0, "b 2": 0.0, "d 3": 0.0, "d 4": 9.0}


def test_each_subtree_keeps_its_own_best() -> None:
    done = search(SCRIPT, MARGINS)
    assert asked(done, 0) == [("", 2), ("", 2)]
    assert asked(done, 1) == [("b\n\n", 2), ("d\n\n", 2)], "a is better than d, in another subtree"
    seeds = [seed for call in done.policy.calls for request in call for seed in request.seeds]
    assert len(set(seeds)) == 8
    assert done.one.rollout.text == "b\n\nb 1", "the best mean of its steps"
    assert (done.one.cost.rounds, done.one.cost.policy_samples, done.one.cost.prm_calls) == (
        2,
        8,
        8,
    )
    last = search(SCRIPT, MARGINS, aggregate="last")
    assert last.one.rollout.text == "d\n\nd 4"


def test_a_subtree_does_not_depend_on_what_became_of_the_others() -> None:
    both = search(SCRIPT, MARGINS)
    ended = search(
        SCRIPT | {"": [end("a"), end("b 0"), step("c"), step("d")]}, MARGINS | {"b 0": 1}
    )
    assert asked(ended, 1) == [("d\n\n", 2)], "a finished subtree leaves its draws unused"
    assert ended.policy.calls[1][0].seeds == both.policy.calls[1][1].seeds


def test_of_equals_the_first() -> None:
    ends = {f"{name}\n\n": [end(f"{name} 1"), end(f"{name} 2")] for name in "ac"}
    script = SCRIPT | ends
    texts = ["a", "b", "c", "d", "a 1", "a 2", "c 1", "c 2"]
    done = search(script, dict.fromkeys(texts, 1.0))
    assert [prefix for prefix, _ in asked(done, 1)] == ["a\n\n", "c\n\n"]
    assert done.one.rollout.text == "a\n\na 1"


def test_a_subtree_without_survivors_tries_again() -> None:
    script = {
        "": [step("a"), step("a"), step("b"), step("b")],
        "a\n\n": [cut("x"), ERROR],
        "b\n\n": [end("b 1")],
    }
    done = search(script, {"a": 3.0, "b": 0.0, "b 1": 0.0}, max_steps=4)
    assert [asked(done, number) for number in (2, 3)] == [[("a\n\n", 2)]] * 2
    assert done.one.rollout.text == "b\n\nb 1", "the finished one, though a scores better"
    nothing = search(script | {"b\n\n": [ERROR]}, {"a": 3.0, "b": 0.0}, max_steps=3)
    assert (nothing.one.rollout.text, nothing.one.rollout.finish_reason) == ("a\n\n", "length")


def test_equal_candidates_are_scored_once_within_a_subtree() -> None:
    script = {"": [step("a")], "a\n\n": [end("a 1")]}
    once = search(script, {"a": 1.0, "a 1": 1.0})
    every = search(script, {"a": 1.0, "a 1": 1.0}, deduplicate=False)
    assert [len(call) for call in once.scorer.calls] == [2, 2]
    assert [len(call) for call in every.scorer.calls] == [4, 4]
    assert once.one.rollout == every.one.rollout


def test_a_bare_end_of_turn_ends_a_subtree() -> None:
    script = {"": [step("a 5")], "a 5\n\n": [end(""), ERROR]}
    done = search(script, {"a 5": 1.0})
    assert (done.one.rollout.text, done.one.rollout.finish_reason) == ("a 5", "stop")
    assert done.one.cost.rounds == 2


def test_only_errors_is_an_error() -> None:
    done = search({"": [ERROR]}, {})
    assert (done.one.rollout.finish_reason, done.one.rollout.answer) == ("error", None)


def test_one_subtree_ranked_by_its_newest_step_is_the_greedy_search() -> None:
    from vlprm.search.keep.greedy import Greedy

    greedy = Greedy.model_validate({"kind": "greedy", "n": 4, "rank_by": "p_plus", **COMMON})
    same = search(
        SCRIPT | {"b\n\n": [step("e"), end("b 2")], "b\n\ne\n\n": [end("f 1")]},
        MARGINS | {"e": 5.0, "f 1": 0.0},
        subtrees=1,
        expansions=4,
        aggregate="last",
    )
    other = ran(greedy, same.policy.script, same.scorer.margins)
    assert same.found == other.found
    assert same.policy.calls == other.policy.calls
