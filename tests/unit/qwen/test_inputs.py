"""Inputs agree with the real processor."""

from __future__ import annotations

import torch
from PIL import Image

from tests.unit.puzzles import SMALL, Bounds
from vlprm.io.images import ImageStore
from vlprm.qwen.inputs import QwenInputs
from vlprm.records import Message


def test_visual_tokens_are_what_the_patches_fill() -> None:
    store = ImageStore()
    refs = [store.put(Image.new("RGB", size, "red")) for size in ((84, 84), (100, 60), (300, 40))]
    inputs = QwenInputs(SMALL, store, Bounds())
    for ref in refs:
        patches = inputs.patches([ref])
        assert patches is not None
        assert inputs.image_tokens(ref) == int(patches.grid_thw.prod()) // 4
        assert patches.pixel_values.shape == (int(patches.grid_thw.prod()), 1176)
    together = inputs.patches(refs)
    assert together is not None
    assert torch.equal(together.grid_thw[:1], inputs.patches(refs[:1]).grid_thw)  # type: ignore[union-attr]


def test_chat_is_the_templates_text() -> None:
    store = ImageStore()
    ref = store.put(Image.new("RGB", (84, 84), "red"))
    inputs = QwenInputs(SMALL, store, Bounds())
    shown = inputs.chat([Message(role="user", text="Which?", images=(ref,))], "red")
    by_template = inputs.tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}]}],
        add_generation_prompt=True,
        tokenize=False,
    )
    pads = "<|image_pad|>" * inputs.image_tokens(ref)
    assert shown == by_template.replace("<|image_pad|>", pads) + "red"
