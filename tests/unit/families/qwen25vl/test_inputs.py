"""Inputs agree with the real processor."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from tests.unit.puzzles import SMALL, Bounds
from vlprm.families.qwen25vl import FAMILY, inputs
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.io.images import ImageStore
from vlprm.records import Message


def test_visual_tokens_are_what_the_patches_fill() -> None:
    store = ImageStore()
    refs = [store.put(Image.new("RGB", size, "red")) for size in ((84, 84), (100, 60), (300, 40))]
    inputs = QwenInputs(FAMILY, SMALL, store, Bounds())
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
    inputs = QwenInputs(FAMILY, SMALL, store, Bounds())
    shown = inputs.chat([Message(role="user", text="Which?", images=(ref,))], "red")
    by_template = inputs.tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which?"}]}],
        add_generation_prompt=True,
        tokenize=False,
    )
    pads = "<|image_pad|>" * inputs.image_tokens(ref)
    assert shown == by_template.replace("<|image_pad|>", pads) + "red"


def test_patches_made_ahead_in_threads_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore()
    sizes = ((84, 84), (196, 140), (300, 40), (57, 91))
    refs = [store.put(Image.linear_gradient("L").resize(size).convert("RGB")) for size in sizes]
    plain, ahead = (QwenInputs(FAMILY, SMALL, store, Bounds()) for _ in range(2))
    ahead.ahead(refs)
    ahead.ahead(refs)
    wanted, found = plain.patches(refs), ahead.patches(refs)
    assert wanted is not None and found is not None
    assert torch.equal(found.pixel_values, wanted.pixel_values)
    assert [tuple(row) for row in found.grid_thw.tolist()] == [plain.grid(ref) for ref in refs]
    one = ahead.patches(refs[:1])
    assert one is not None
    assert one.pixel_values.nbytes == ahead._bytes(refs[0])
    monkeypatch.setattr(inputs, "AHEAD_BYTES", ahead._bytes(refs[0]))
    fresh = QwenInputs(FAMILY, SMALL, store, Bounds())
    fresh.ahead(refs)
    assert list(fresh._coming) == [refs[0].sha256]


def test_kept_patches_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore()
    refs = [store.put(Image.new("RGB", (84, 84), shade)) for shade in ("red", "blue", "green")]
    kept = QwenInputs(FAMILY, SMALL, store, Bounds())
    monkeypatch.setattr(inputs, "KEPT_BYTES", 2 * kept._bytes(refs[0]))
    kept.patches(refs[:2])
    kept.patches(refs[:1])
    kept.patches(refs[2:])
    assert list(kept._patches) == [refs[0].sha256, refs[2].sha256]
    assert kept._kept == 2 * kept._bytes(refs[0])
