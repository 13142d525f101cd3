"""Which attention runs, and what is refused before the first batch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vlprm.errors import UserError
from vlprm.families.qwen25vl import attention
from vlprm.families.qwen25vl.attention import Attention, Segments, causal_sdpa, choose
from vlprm.provenance import noted

H100 = (9, 0)


def test_a_cpu_has_sdpa_and_says_why() -> None:
    found = choose("cpu", torch.bfloat16, {32})
    assert found.name == "sdpa" and "GPUs only" in found.why
    assert noted()["attention"] == f"sdpa torch {torch.__version__}"


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(attention.SWITCH, "sdpa")
    assert choose("cuda", torch.bfloat16, {128}).why == "VLPRM_ATTENTION=sdpa"
    monkeypatch.setenv(attention.SWITCH, "flash")
    with pytest.raises(UserError, match="'flash' is no attention"):
        choose("cpu", torch.bfloat16, {128})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """A flash-attn that is there, whose call fails at some head widths."""
    failing: dict[int, str] = {}

    def call(query: torch.Tensor, *_: object, **__: object) -> None:
        if query.shape[-1] in failing:
            raise RuntimeError(failing[query.shape[-1]] + "\nframe 1")

    module = ModuleType("flash_attn")
    module.flash_attn_varlen_func = call  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.8.0.post2")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: H100)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    for make in ("zeros", "tensor"):
        real = getattr(torch, make)
        monkeypatch.setattr(
            torch, make, lambda *a, real=real, **k: real(*a, **(k | {"device": "cpu"}))
        )
    return failing


def test_flash_attn_where_it_fits(installed: dict[int, str]) -> None:
    found = choose("cuda", torch.bfloat16, {80, 128})
    assert found == Attention("flash_attention_2", "2.8.0.post2", "runs on cuda")
    assert found.stated == noted()["attention"] == "flash_attention_2 2.8.0.post2"
    assert choose("cuda", torch.float32, {80, 128}).name == "sdpa"


def test_a_width_left_out_of_the_build_means_sdpa(installed: dict[int, str]) -> None:
    installed[64] = "flash-attn was compiled without bf16 kernels of head width 64 -> ..."
    found = choose("cuda", torch.bfloat16, {64, 128})
    assert found.name == "sdpa" and "head width 64" in found.why


def test_code_for_another_card_is_refused(
    installed: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed[128] = "CUDA error: no kernel image is available for execution on the device"
    with pytest.raises(UserError, match=r"compute capability 90\): CUDA error") as error:
        choose("cuda", torch.bfloat16, {128})
    assert "FLASH_ATTN_CUDA_ARCHS='90'" in str(error.value)
    image = tmp_path / "image.json"
    image.write_text(json.dumps({"flash_attn": {"architectures": ["80", "100"]}}))
    monkeypatch.setattr(attention, "IMAGE", image)
    with pytest.raises(UserError, match="compiled for 80, 100"):
        choose("cuda", torch.bfloat16, {80})
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    assert choose("cuda", torch.bfloat16, {80}).name == "flash_attention_2"


def test_a_broken_library_is_refused(
    installed: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    with pytest.raises(UserError, match="cannot be imported"):
        choose("cuda", torch.bfloat16, {128})


def test_sdpa_over_segments_is_one_masked_attention() -> None:
    torch.manual_seed(0)
    segments = Segments((3, 2), (3, 5), torch.device("cpu"))
    query, key, value = torch.randn(5, 4, 8), torch.randn(8, 2, 8), torch.randn(8, 2, 8)
    mask = torch.zeros(5, 8, dtype=torch.bool)
    mask[:3, :3] = torch.ones(3, 3).tril().bool()
    mask[3:, 3:] = torch.ones(2, 5).tril(3).bool()
    scores = torch.einsum("qhd,khd->hqk", query, key.repeat_interleave(2, 1)) / 8**0.5
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    wanted = torch.einsum("hqk,khd->qhd", weights, value.repeat_interleave(2, 1))
    assert torch.allclose(causal_sdpa(query, key, value, segments), wanted, atol=1e-6)
    assert segments.query_bounds.tolist() == [0, 3, 5]
    assert segments.key_bounds.tolist() == [0, 3, 8]
