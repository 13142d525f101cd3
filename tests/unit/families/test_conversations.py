"""Conversations as tokens: one prefix, a branch per solution, read-outs by turn structure."""

from __future__ import annotations

import pytest

from tests.unit.puzzles import SMALL, Bounds, questions
from vlprm.families.conversations import ConversationTokens, Solution, readout_positions
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.chat import PRM_LAYOUT, chat_text, render_turns
from vlprm.families.qwen25vl.inputs import QwenInputs

SAMPLES, STORE = questions(1)
INPUTS = QwenInputs(FAMILY, SMALL, STORE, Bounds())
TOKENS = ConversationTokens(PRM_LAYOUT, INPUTS)
STEPS = (("red star", "so red"), ("red circle",), ("blue", "b", "c"))


def test_prefix_and_branch_are_the_tokens_of_the_text() -> None:
    images = SAMPLES[0].images
    asked = [Solution(steps, (*["+"] * (len(steps) - 1), None)) for steps in STEPS]
    made = TOKENS.conversation("Judge.", images, "Which?", asked)
    counts = [INPUTS.image_tokens(ref) for ref in images]
    assert made.images == images
    for solution, branch in zip(asked, made.branches, strict=True):
        text = chat_text("Judge.", render_turns("Which?", solution.steps), solution.answers, counts)
        assert list(made.whole(branch)) == INPUTS.ids(text)
        assert len(branch.readouts) == len(solution.steps)
        assert branch.readouts[-1] == len(made.whole(branch)) - 1
    firsts = {branch.ids[:1] for branch in made.branches}
    assert len(firsts) > 1, "the prefix is the longest"
    assert max(map(len, (made.prefix,))) <= min(b.readouts[0] for b in made.branches)


def test_a_lone_branch_begins_at_its_first_read_out() -> None:
    made = TOKENS.conversation("", (), "Which?", [Solution(("a", "b"), ("+", "-"))])
    (branch,) = made.branches
    assert len(made.prefix) == branch.readouts[0]
    answers = [made.whole(branch)[at + 1] for at in branch.readouts]
    assert answers == list(TOKENS.values)


START, ASSISTANT, NL, END, PLUS, MINUS = 1, 2, 3, 4, 10, 12
HEADER = [START, ASSISTANT, NL]


def test_positions_follow_turns_not_value_tokens() -> None:
    ids = [
        START,
        9,
        NL,
        PLUS,
        MINUS,
        END,
        NL,
        *HEADER,
        PLUS,
        END,
        NL,
        START,
        9,
        NL,
        MINUS,
        END,
        NL,
        *HEADER,
    ]
    assert readout_positions(ids, HEADER, END) == [9, 21]
    assert [ids[p] for p in (9, 21)] == [NL, NL]
    assert readout_positions([*ids, MINUS, END, NL], HEADER, END) == [9, 21]


def test_an_answer_of_two_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="single token"):
        readout_positions([*HEADER, PLUS, PLUS, END], HEADER, END)
