"""Elementwise work: the library's modules, and the Triton kernels where Triton is."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_multimodal_rotary_pos_emb

from tests.unit.puzzles import SMALL
from vlprm.errors import UserError
from vlprm.families.qwen25vl import elementwise
from vlprm.families.qwen25vl.elementwise import EAGER, choose

COMPARE = """
import torch
from vlprm.families.qwen25vl import elementwise as plain, kernels
torch.manual_seed(0)
for dtype, near in ((torch.float32, 1e-6), (torch.bfloat16, 2**-6)):
    make = lambda *shape: torch.randn(*shape).to(dtype)
    same = lambda a, b: torch.testing.assert_close(a, b, rtol=near, atol=near)
    hidden, delta, weight, both = make(7, 200), make(7, 200), make(200), make(5, 2600)
    same(kernels.norm(hidden, weight, 1e-6), plain.norm(hidden, weight, 1e-6))
    sums = hidden.clone(), hidden.clone()
    normed = [each.add_norm(s, delta, weight, 1e-6) for each, s in zip((kernels, plain), sums)]
    same(*normed)
    same(*sums)
    same(kernels.swiglu(both), plain.swiglu(both))
    rows = make(5, 7 * 24), make(5, 12), make(5, 12)
    turned = rows[0].clone(), rows[0].clone()
    kernels.rotate(turned[0], *rows[1:], 5)
    plain.rotate(turned[1], *rows[1:], 5)
    same(*turned)
    assert torch.equal(turned[0][:, 5 * 24 :], rows[0][:, 5 * 24 :])
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_triton_kernels_are_the_formulas() -> None:
    run = subprocess.run(
        [sys.executable, "-c", COMPARE],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@torch.inference_mode()
def test_plain_formulas_are_the_librarys() -> None:
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(SMALL).float().eval()
    layer = model.model.language_model.layers[0]
    hidden = torch.randn(6, 128)
    norm, mlp = layer.input_layernorm, layer.mlp
    assert torch.equal(EAGER.norm(hidden, norm.weight, norm.variance_epsilon), norm(hidden))
    both = torch.cat((mlp.gate_proj(hidden), mlp.up_proj(hidden)), dim=-1)
    assert torch.equal(mlp.down_proj(EAGER.swiglu(both)), mlp(hidden))
    cos, sin = torch.randn(3, 1, 6, 16), torch.randn(3, 1, 6, 16)
    double = [torch.cat((part, part), dim=-1) for part in (cos, sin)]
    query, key = torch.randn(1, 4, 6, 32), torch.randn(1, 2, 6, 32)
    wanted = apply_multimodal_rotary_pos_emb(query, key, *double, [4, 6, 6])
    rows = torch.cat((query, key, key), dim=1)[0].transpose(0, 1).reshape(6, -1)
    chosen = [
        torch.cat((p[0, 0, :, :4], p[1, 0, :, 4:10], p[2, 0, :, 10:]), -1) for p in (cos, sin)
    ]
    EAGER.rotate(rows, *chosen, 6)
    heads = rows.view(6, 8, 32).transpose(0, 1)[None]
    assert torch.allclose(heads[:, :4], wanted[0], atol=1e-6)
    assert torch.allclose(heads[:, 4:6], wanted[1], atol=1e-6)
    assert torch.equal(heads[:, 6:], key)


def test_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("cpu").name == "eager"
    assert choose("cpu", "compiled").name.startswith("compiled")
    monkeypatch.setenv(elementwise.SWITCH, "cuda")
    with pytest.raises(UserError, match="eager, compiled, triton"):
        choose("cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="Triton is not installed"):
        choose("cuda", "triton")
    monkeypatch.delenv(elementwise.SWITCH)
    assert choose("cuda").name == "eager"
