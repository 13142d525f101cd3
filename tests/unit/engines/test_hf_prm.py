"""The PRM engine: shared prefixes and one forward a candidate change no score."""

from __future__ import annotations

import pytest
import torch

from tests.unit.puzzles import CPU, SMALL, Bounds, questions, small
from vlprm.engines.hf_prm import HFScorer
from vlprm.families.conversations import readout_positions
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.chat import ANSWER_HEADER, chat_text, render_turns
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.model import load_model
from vlprm.protocols import ScoreRequest

QUESTIONS, STORE = questions(3)
STEPS = (["red star, blue cross", "colour constant so red"], ["red star"], ["blue", "b", "c", "d"])


def requests() -> list[ScoreRequest]:
    return [
        ScoreRequest(
            f"{sample.id}#{number}",
            "Is each step right?",
            sample.images,
            "Which?",
            tuple(steps),
        )
        for sample in QUESTIONS
        for number, steps in enumerate(STEPS)
    ]


@pytest.fixture(scope="module")
def scorer() -> HFScorer:
    return HFScorer(SMALL, STORE, small(batch_tokens=4096), CPU)


def test_scores_are_those_of_one_plain_forward_a_step(scorer: HFScorer) -> None:
    model = load_model(SMALL, dtype="float32", device="cpu")
    inputs = QwenInputs(FAMILY, SMALL, STORE, Bounds())
    plus, minus = inputs.token_id("+"), inputs.token_id("-")
    for request, scores in zip(requests(), scorer.score(requests()), strict=True):
        assert len(scores) == len(request.steps)
        for place, score in enumerate(scores):
            turns = render_turns(request.question, request.steps[: place + 1])
            counts = [inputs.image_tokens(ref) for ref in request.images]
            ids = inputs.ids(chat_text(request.system, turns, ["+"] * place + [None], counts))
            header = inputs.ids(ANSWER_HEADER)
            assert readout_positions(ids, header, inputs.token_id("<|im_end|>"))[-1] == len(ids) - 1
            patches = inputs.patches(request.images)
            assert patches is not None
            with torch.inference_mode():
                logits = model(
                    input_ids=torch.tensor([ids]),
                    attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                    pixel_values=patches.pixel_values,
                    image_grid_thw=patches.grid_thw,
                ).logits[0, -1]
            assert score.plus == pytest.approx(logits[plus].item(), abs=2e-4)
            assert score.minus == pytest.approx(logits[minus].item(), abs=2e-4)
            assert score.prompt_tokens == len(ids)


def test_equal_conversations_are_scored_once_and_order_is_kept(scorer: HFScorer) -> None:
    twice = [*requests(), *reversed(requests())]
    scores = scorer.score(twice)
    assert scores[: len(scores) // 2] == scores[: len(scores) // 2 - 1 : -1]
