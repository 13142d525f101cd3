"""The batched vision tower gives what the library's loops give."""

from __future__ import annotations

import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from tests.unit.puzzles import SMALL, Bounds, questions
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.model import load_model


def test_image_features_of_a_batch() -> None:
    samples, store = questions(4)
    patches = QwenInputs(FAMILY, SMALL, store, Bounds()).patches(
        [ref for s in samples for ref in s.images]
    )
    assert patches is not None
    plain = Qwen2_5_VLForConditionalGeneration.from_pretrained(SMALL).float().eval()
    ours = load_model(SMALL, dtype="float32", device="cpu")
    with torch.inference_mode():
        wanted = torch.cat(plain.model.get_image_features(patches.pixel_values, patches.grid_thw))
        found = torch.cat(ours.model.get_image_features(patches.pixel_values, patches.grid_thw))
    assert torch.allclose(found, wanted, atol=1e-5)
