"""Beam search against scripted models: who is kept, who ends, who wins."""

from __future__ import annotations

import pytest

from tests.unit.search.scripted import COMMON, ERROR, Ran, cut, end, ran, step, steps_of
from vlprm.protocols import Completion
from vlprm.search.keep.beam import BeamSearch


def search(
    script: dict[str, list[Completion]],
    margins: dict[str, float],
    *,
    ids: tuple[str, ...] = ("q",),
    **changes: object,
) -> Ran:
    values = {"kind": "beam", "beams": 2, "expansions": 2, "aggregate": "mean", **COMMON} | changes
    return ran(BeamSearch.model_validate(values), script, margins, ids=ids)


def prefixes(done: Ran, number: int) -> list[str]:
    return [request.prefix for request in done.policy.calls[number]]


ROOT = [step("d"), step("b"), step("a"), step("c")]
MARGINS = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}


def test_the_best_beams_go_on_and_share_the_draws() -> None:
    ends = {f"{name}\n\n": [end(f"{name}1"), end(f"{name}2")] for name in "ab"}
    scores = {"a1": 0.0, "a2": -1.0, "b1": 5.0, "b2": 0.0}
    done = search({"": ROOT, **ends}, MARGINS | scores)
    assert prefixes(done, 0) == [""]
    assert prefixes(done, 1) == ["a\n\n", "b\n\n"]
    assert [len(request.seeds) for call in done.policy.calls for request in call] == [4, 2, 2]
    seeds = [seed for call in done.policy.calls for request in call for seed in request.seeds]
    assert len(set(seeds)) == 8
    assert done.one.rollout.text == "b\n\nb1"
    assert [(s.step_index, s.logit_plus, s.rollout_id) for s in done.one.scores] == [
        (0, 2.0, "q#000"),
        (1, 5.0, "q#000"),
    ]
    assert (done.one.cost.rounds, done.one.cost.policy_samples, done.one.cost.prm_calls) == (
        2,
        8,
        8,
    )
    assert (done.one.cost.sampled_tokens, done.one.rollout.completion_tokens) == (8, 2)


@pytest.mark.parametrize(("aggregate", "wins"), [("mean", "a 1"), ("last", "b 2"), ("min", "a 1")])
def test_a_beam_is_ranked_by_all_its_steps(aggregate: str, wins: str) -> None:
    script = {"": [step("a"), step("b")], "a\n\n": [end("a 1")], "b\n\n": [end("b 2")]}
    margins = {"a": 3.0, "b": -3.0, "a 1": 1.0, "b 2": 1.5}
    done = search(script, margins, expansions=1, aggregate=aggregate)
    assert done.one.rollout.text.endswith(wins)


def test_finished_beams_take_no_place_and_the_best_of_them_wins() -> None:
    script = {
        "": [end("early 1"), step("a"), end("early 2"), step("b")],
        "a\n\n": [end("a 3"), end("a 4")],
        "b\n\n": [end("b 5"), end("b 6")],
    }
    rest = {"a": 0.0, "b": 0.0, "a 3": 0.0, "a 4": 0.0, "b 5": 0.0, "b 6": 0.0}
    done = search(script, {"early 1": 1.0, "early 2": 2.0} | rest)
    assert prefixes(done, 1) == ["a\n\n", "b\n\n"], "two ended, and two more go on"
    assert done.one.rollout.text == "early 2"
    assert (done.one.rollout.answer, done.one.rollout.finish_reason) == ("2", "stop")
    later = search(script, {"early 1": 1.0, "early 2": 2.0} | rest | {"b": 5.0, "b 6": 5.0})
    assert later.one.rollout.text == "b\n\nb 6"


def test_of_equals_the_first_is_kept_and_the_first_to_end_wins() -> None:
    script = {
        "": [step("a"), step("b"), step("c"), end("x 1")],
        "a\n\n": [end("y 2"), end("y 3")],
        "b\n\n": [end("z 4"), end("z 5")],
    }
    done = search(script, dict.fromkeys(["a", "b", "c", "x 1", "y 2", "y 3", "z 4", "z 5"], 1.0))
    assert prefixes(done, 1) == ["a\n\n", "b\n\n"]
    assert done.one.rollout.text == "x 1"


def test_fewer_beams_are_given_more_draws_each() -> None:
    script = {
        "": [step("a"), cut("b"), ERROR, step("c")],
        "a\n\n": [step("d"), step("e"), step("f")],
        "c\n\n": [ERROR],
        "a\n\nd\n\n": [end("1")],
        "a\n\ne\n\n": [end("1")],
        "a\n\nf\n\n": [end("1")],
    }
    margins = dict.fromkeys("acdef1", 1.0)
    done = search(script, margins, beams=3, expansions=1)
    assert [len(request.seeds) for request in done.policy.calls[0]] == [3]
    assert [len(request.seeds) for request in done.policy.calls[1]] == [3], "one survived"
    assert prefixes(done, 2) == ["a\n\nd\n\n", "a\n\ne\n\n", "a\n\nf\n\n"]
    done = search(
        script | {"": [step("a"), step("c"), step("d"), cut("x")], "d\n\n": [ERROR]},
        margins,
        beams=4,
        expansions=1,
        max_steps=2,
    )
    assert [len(request.seeds) for request in done.policy.calls[1]] == [2, 1, 1]
    seeds = [seed for request in done.policy.calls[1] for seed in request.seeds]
    assert len(set(seeds)) == 4


def test_a_beam_without_survivors_is_dropped_when_others_go_on() -> None:
    script = {
        "": [step("a"), step("b")],
        "a\n\n": [cut("x"), ERROR],
        "b\n\n": [end("b 1"), end("b 1")],
    }
    done = search(script, {"a": 3.0, "b": 0.0, "b 1": 0.0}, max_steps=9)
    assert done.one.rollout.text == "b\n\nb 1"
    assert done.one.cost.rounds == 2


def test_no_survivor_at_all_leaves_the_beams_and_draws_anew() -> None:
    script = {"": [step("a"), step("b")], "a\n\n": [cut("x")], "b\n\n": [cut("y")]}
    done = search(script, {"a": 1.0, "b": 2.0}, max_steps=4)
    assert [prefixes(done, number) for number in (1, 2, 3)] == [["b\n\n", "a\n\n"]] * 3
    seeds = [seed for call in done.policy.calls for request in call for seed in request.seeds]
    assert len(set(seeds)) == 16
    assert (done.one.rollout.text, done.one.rollout.finish_reason) == ("b\n\n", "length")
    assert done.one.rollout.answer is None


def test_only_errors_is_an_error() -> None:
    done = search({"": [ERROR]}, {})
    assert (done.one.rollout.finish_reason, done.one.cost.prm_calls) == ("error", 0)


def test_a_beam_at_the_token_limit_is_cut() -> None:
    script = {
        "": [step("long", tokens=100), step("b", tokens=99)],
        "b\n\n": [step("c"), step("d", tokens=2)],
    }
    done = search(script, {"long": 1.0, "b": 0.0, "c": 0.0, "d": -1.0})
    assert prefixes(done, 1) == ["b\n\n"]
    assert len(done.policy.calls) == 2, "100 tokens each: nothing is left to grow"
    assert (done.one.rollout.text, done.one.rollout.finish_reason) == ("long\n\n", "length")
    finished = script | {"b\n\n": [end("b 1")]}
    done = search(finished, {"long": 1.0, "b": 0.0, "b 1": -5.0})
    assert done.one.rollout.text == "b\n\nb 1", "a finished solution stands before a cut one"


@pytest.mark.parametrize(("once", "asked"), [(True, 2), (False, 4)])
def test_equal_candidates_are_one_beam(once: bool, asked: int) -> None:
    script = {"": [step("a"), step("a"), step("b"), step("b")], "a\n\n": [ERROR], "b\n\n": [ERROR]}
    done = search(script, {"a": 1.0, "b": 0.0}, deduplicate=once, max_steps=2)
    assert [len(call) for call in done.scorer.calls] == [asked]
    assert prefixes(done, 1) == (["a\n\n", "b\n\n"] if once else ["a\n\n", "a\n\n"])


def test_a_bare_end_of_turn_ends_a_beam() -> None:
    script = {
        "": [step("a 7"), step("b")],
        "a 7\n\n": [end(""), ERROR],
        "b\n\n": [end("b 1"), end("b 2")],
    }
    done = search(script, {"a 7": 3.0, "b": 0.0, "b 1": 0.0, "b 2": 0.0})
    assert (done.one.rollout.text, done.one.rollout.answer) == ("a 7", "7")
    assert len(done.one.scores) == 1


def test_a_box_ends_a_beam_when_asked() -> None:
    script = {"": [step("\\boxed{7}"), step("b")], "b\n\n": [end("b 1")]}
    margins = {"\\boxed{7}": 1.0, "b": 0.0, "b 1": 0.0}
    done = search(script, margins, stop_at_box=True)
    assert prefixes(done, 1) == ["b\n\n"]
    assert done.one.rollout.text == "\\boxed{7}"


def test_all_questions_advance_together_and_none_depends_on_another() -> None:
    script = {"": ROOT, "a\n\n": [end("a 1")], "b\n\n": [end("b 2")]}
    margins = MARGINS | {"a 1": 0.0, "b 2": 9.0}
    both = search(script, margins, ids=("p", "q"))
    alone = search(script, margins)
    assert [len(call) for call in both.policy.calls] == [2, 4]
    assert [request.id for request in both.policy.calls[1]] == ["p/1/0", "p/1/1", "q/1/0", "q/1/1"]
    assert both.found[1] == alone.one
    again = search(script, margins, ids=("p", "q"))
    assert (again.policy.calls, again.scorer.calls) == (both.policy.calls, both.scorer.calls)


def test_the_prm_is_asked_with_the_question_and_every_step() -> None:
    script = {"": [step("a")], "a\n\n": [end("a 1")]}
    done = search(script, {"a": 1.0, "a 1": 1.0}, beams=1, expansions=1)
    (first,), (second,) = done.scorer.calls
    assert (steps_of(first), steps_of(second)) == (["a"], ["a", "a 1"])
    assert second.id == "q/1/0"
