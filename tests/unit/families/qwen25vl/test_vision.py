"""The vision tower in one call a length of window gives what the library's loops give."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration

from tests.unit.puzzles import SMALL, Bounds
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.inputs import Patches, QwenInputs
from vlprm.families.qwen25vl.model import load_model
from vlprm.io.images import ImageStore

SIZES = ((84, 84), (196, 140), (252, 308), (140, 56), (336, 28), (84, 84), (28, 28))


def patches(sizes: tuple[tuple[int, int], ...]) -> Patches:
    store = ImageStore()
    shades = (Image.linear_gradient("L").resize(size).convert("RGB") for size in sizes)
    found = QwenInputs(FAMILY, SMALL, store, Bounds()).patches(
        [store.put(image) for image in shades]
    )
    assert found is not None
    return found


@pytest.mark.parametrize("sizes", [SIZES, SIZES[2:3], SIZES[:1] * 3], ids=["odd", "one", "equal"])
def test_features_and_gradients_are_the_loops(sizes: tuple[tuple[int, int], ...]) -> None:
    given = patches(sizes)
    plain = Qwen2_5_VLForConditionalGeneration.from_pretrained(SMALL).float().eval()
    ours = load_model(SMALL, dtype="float32", device="cpu")
    features = [
        torch.cat(model.model.get_image_features(given.pixel_values, given.grid_thw))
        for model in (plain, ours)
    ]
    assert torch.allclose(features[1], features[0], atol=1e-5)
    for each in features:
        each.square().mean().backward()
    wanted, found = (model.model.visual.blocks[0].attn.qkv.weight.grad for model in (plain, ours))
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-6 * float(wanted.abs().max()) + 1e-7)


def test_one_call_a_length_of_window(monkeypatch: pytest.MonkeyPatch) -> None:
    given = patches(SIZES)
    ours = load_model(SMALL, dtype="float32", device="cpu")
    calls: list[torch.Size] = []
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def counted(query: torch.Tensor, *more: torch.Tensor, **how: float) -> torch.Tensor:
        calls.append(query.shape)
        return sdpa(query, *more, **how)

    monkeypatch.setattr("vlprm.families.qwen25vl.vision.scaled_dot_product_attention", counted)
    with torch.inference_mode():
        ours.model.get_image_features(given.pixel_values, given.grid_thw)
    lengths = sorted(shape[2] for shape in calls)
    whole = sorted({width * height // 196 for width, height in SIZES})
    windows = [16 * 4, 12 * 4, 36, 16, 12, 32, 8, 4]  # 8 patches a side at most; what is left over
    assert lengths == sorted([*windows, *whole])
