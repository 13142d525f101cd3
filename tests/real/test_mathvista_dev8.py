"""Published PRM scores of four MathVista questions: prompt lengths, rewards and selections.

The released evaluation kept, for 16 candidates per question, the two probabilities and a reward
p^0.3 / L^0.6. Where the reward is positive the prompt length L follows from it exactly, so the
file proves prompt layout and image arithmetic without a model. The prompts' wording is not
ours to ship; their token counts are enough, because words never merge across the layout's
newlines and control tokens.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vlprm.families.qwen25vl.chat import chat_text, render_turns
from vlprm.families.qwen25vl.resize import image_tokens, published_size
from vlprm.prm.aggregate import published_rank, published_reward

SHARED = Path(os.environ.get("VLPRM_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
DATA = SHARED / "data" / "mathvista_dev8"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the published scores")

FIXED_TOKENS = 356
"""The one constant: released system prompt (168) and the policy prompt's closing instruction
(188), equal for every question."""
HINT_TOKENS = {"multi_choice": 28, "integer": 32, "float": 43}
"""MathVista's own line on the form of the answer (the head of its ``query`` field)."""
END = "<|im_end|>"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Candidate:
    text: str
    plus: float
    minus: float
    reward: float
    prompt_tokens: int | None


@dataclass(frozen=True)
class Question:
    facts: dict[str, Any]
    annotation: dict[str, Any]
    chosen: int
    candidates: tuple[Candidate, ...]


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    derived = json.loads((DATA / "derived_scores.json").read_text())
    stored = json.loads((DATA / "candidates.json").read_text())
    found = []
    for facts, record in zip(derived, stored, strict=True):
        assert facts["index"] == record["index"]
        iteration = record["iteration_history"][0]
        candidates = tuple(
            Candidate(
                text=info["candidate_step"].removesuffix(END),
                plus=info["reward_result"]["positive_prob"],
                minus=info["reward_result"]["negative_prob"],
                reward=info["reward"],
                prompt_tokens=facts["candidates"][index]["derived_prm_tokens"],
            )
            for index, info in enumerate(iteration["candidates_info"])
        )
        chosen = iteration["chosen_step_index"]
        found.append(Question(facts, record["annotation"], chosen, candidates))
    return found


@pytest.fixture(scope="module")
def tokens() -> Any:
    """Number of tokens of a text under the Qwen2.5 tokenizer."""
    tiktoken = pytest.importorskip("tiktoken")
    dashscope = pytest.importorskip("dashscope")
    lines = (Path(dashscope.__file__).parent / "resources/qwen.tiktoken").read_text().split("\n")
    ranks = {base64.b64decode(word): int(rank) for word, rank in (s.split() for s in lines if s)}
    assert len(ranks) == 151_643
    special = {"<|im_start|>": 151644, END: 151645, "<|vision_start|>": 151652}
    special |= {"<|vision_end|>": 151653, "<|image_pad|>": 151655}
    encoding = tiktoken.Encoding(
        "qwen", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special
    )
    assert (encoding.encode("+"), encoding.encode("-")) == ([10], [12])
    return lambda text: len(encoding.encode(text, allowed_special="all"))


def words(count: int) -> str:
    """A text of ``count`` tokens that ends like a sentence, as the prompts do."""
    return "x" + " x" * (count - 2) + "."


def asked(annotation: dict[str, Any]) -> str:
    """The policy prompt's layout, with counted words for its wording."""
    lines = [f"Question: {annotation['question']}"]
    if annotation["unit"]:
        lines[0] += f" (Unit: {annotation['unit']})"
    choices = annotation["choices"] or []
    if choices:
        lines += ["Choices:", *(f"({'ABCD'[i]}) {text}" for i, text in enumerate(choices))]
    kind = "multi_choice" if choices else annotation["answer_type"]
    return "\n".join([*lines, words(HINT_TOKENS[kind]), words(FIXED_TOKENS // 2)])


def prompt(question: Question, text: str) -> str:
    """One candidate as the released evaluation showed it: whole, without a closing blank line."""
    visual = image_tokens(*published_size(*question.facts["image_wh"]))
    turn = render_turns(asked(question.annotation), [text])[0].removesuffix("\n\n")
    return chat_text(words(FIXED_TOKENS - FIXED_TOKENS // 2), [turn], [None], [visual])


def test_stand_ins_have_the_tokens_they_claim(tokens: Any) -> None:
    for count in (*HINT_TOKENS.values(), FIXED_TOKENS // 2, 1000):
        assert tokens(words(count)) == count


def test_every_recorded_prompt_length(questions: list[Question], tokens: Any) -> None:
    seen = 0
    for question in questions:
        for candidate in question.candidates:
            if candidate.prompt_tokens is not None:
                assert tokens(prompt(question, candidate.text)) == candidate.prompt_tokens
                seen += 1
    assert seen == 53


def test_one_constant_explains_every_prefix(questions: list[Question], tokens: Any) -> None:
    costs = []
    for question in questions:
        ours = tokens(prompt(question, "x")) - FIXED_TOKENS  # "x" and the closing five are 6
        costs.append(question.facts["prefix_tokens_incl_image"] - (ours - 6))
    assert costs == [FIXED_TOKENS] * 4


def test_image_arithmetic(questions: list[Question]) -> None:
    for question in questions:
        size = published_size(*question.facts["image_wh"])
        assert list(size) == question.facts["after_second_resize_wh"]
        assert image_tokens(*size) == question.facts["image_tokens"]


def test_rewards(questions: list[Question]) -> None:
    negative = 0
    for candidate in (c for question in questions for c in question.candidates):
        length = candidate.prompt_tokens or 1
        reward = published_reward(candidate.plus, candidate.minus, length)
        assert reward == pytest.approx(candidate.reward, rel=1e-12)
        negative += reward == -1
    assert negative == 11


def test_selections(questions: list[Question]) -> None:
    picked = []
    for question in questions:
        ranks = [published_rank(c.plus, c.minus, c.prompt_tokens or 1) for c in question.candidates]
        picked.append(ranks.index(max(ranks)))
    assert picked == [question.chosen for question in questions] == [3, 3, 15, 13]


def test_a_label_tie_is_positive(questions: list[Question]) -> None:
    ties = [c for q in questions for c in q.candidates if c.plus == c.minus]
    assert len(ties) == 1
    assert ties[0].reward > 0
    assert published_reward(0.5, 0.5, 100) > 0


def test_equal_probabilities_go_to_the_shorter_and_equal_ranks_to_the_first(
    questions: list[Question],
) -> None:
    best = questions[2]
    top = max(c.plus for c in best.candidates)
    tied = [i for i, c in enumerate(best.candidates) if c.plus == top]
    assert len(tied) == 2
    assert best.chosen == min(tied, key=lambda i: best.candidates[i].prompt_tokens or 0)
    same = [published_rank(0.9, 0.1, 50), published_rank(0.9, 0.1, 50)]
    assert same.index(max(same)) == 0


def test_all_negative_falls_back_to_the_least_negative() -> None:
    ranks = [published_rank(p, 1 - p, 50) for p in (0.1, 0.4, 0.3)]
    assert ranks.index(max(ranks)) == 1
    assert max(ranks) < published_rank(0.5, 0.5, 10**9)
