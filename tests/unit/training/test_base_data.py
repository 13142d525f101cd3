"""Training rows of the base models are what engines and processor will show them."""

from __future__ import annotations

import torch
from transformers import Qwen2TokenizerFast

from tests.unit.puzzles import SMALL, SPEC, Bounds, questions, request
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.training.base_data import IGNORED, SAID, patchify, puzzle_set

TOKENIZER = Qwen2TokenizerFast.from_pretrained(SMALL)


def test_patches_are_the_processors() -> None:
    samples, store = questions(3)
    wanted = QwenInputs(FAMILY, SMALL, store, Bounds()).patches(
        [ref for s in samples for ref in s.images]
    )
    assert wanted is not None
    data = puzzle_set(SPEC, 77, 3, "policy_mini_v1", TOKENIZER)
    patches, grid = patchify(data.images)
    assert torch.allclose(patches, wanted.pixel_values, atol=1e-5)
    assert torch.equal(grid, wanted.grid_thw)


def test_the_prompt_is_the_policys() -> None:
    samples, store = questions(1)
    inputs = QwenInputs(FAMILY, SMALL, store, Bounds())
    asked = request(samples[0], (0,))
    data = puzzle_set(SPEC, 77, 1, "policy_mini_v1", TOKENIZER)
    assert data.tokens[0, : data.prompt].tolist() == inputs.ids(inputs.chat(asked.messages, ""))


def test_questions_are_asked_turn_by_turn() -> None:
    data = puzzle_set(SPEC, 77, 8, "policy_mini_v1", TOKENIZER, 1.0)
    words = {TOKENIZER.convert_tokens_to_ids(word) for word in SAID.values()}
    said = [token for token in data.labels[data.labels != IGNORED].tolist() if token in words]
    assert len(said) == 8 * 6
    assert set(said) == words
