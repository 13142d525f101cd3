"""The PRM engine: shared prefixes and one forward a candidate change no score."""

from __future__ import annotations

import pytest
import torch

from tests.unit.puzzles import SMALL, Bounds, questions
from vlprm.config.placement import WHOLE, Placement
from vlprm.engines.hf_prm import HFScorer
from vlprm.prm.format import ANSWER_HEADER, chat_text, readout_positions, render_turns
from vlprm.protocols import ScoreRequest
from vlprm.qwen.inputs import QwenInputs
from vlprm.qwen.model import load_model

CPU = Placement((), WHOLE)
QUESTIONS, STORE = questions(3)
STEPS = (["red star, blue cross", "colour constant so red"], ["red star"], ["blue", "b", "c", "d"])


def requests() -> list[ScoreRequest]:
    return [
        ScoreRequest(
            f"{sample.id}#{number}",
            "Is each step right?",
            sample.images,
            render_turns("Which?", steps),
        )
        for sample in QUESTIONS
        for number, steps in enumerate(STEPS)
    ]


@pytest.fixture(scope="module")
def scorer() -> HFScorer:
    return HFScorer(
        SMALL, STORE, pixels=Bounds(), dtype="float32", placement=CPU, batch_tokens=4096
    )


def test_scores_are_those_of_one_plain_forward_a_step(scorer: HFScorer) -> None:
    model = load_model(SMALL, dtype="float32", device="cpu")
    inputs = QwenInputs(SMALL, STORE, Bounds())
    plus, minus = inputs.token_id("+"), inputs.token_id("-")
    for request, scores in zip(requests(), scorer.score(requests()), strict=True):
        assert len(scores) == len(request.turns)
        for place, score in enumerate(scores):
            turns = request.turns[: place + 1]
            counts = [inputs.image_tokens(ref) for ref in request.images]
            ids = inputs.ids(chat_text(request.system, turns, ["+"] * place + [None], counts))
            header = inputs.ids(ANSWER_HEADER)
            assert readout_positions(ids, header, inputs.turn_end)[-1] == len(ids) - 1
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
