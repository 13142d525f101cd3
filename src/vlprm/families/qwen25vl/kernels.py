"""The text tower's elementwise work as three Triton kernels: what eager torch does in twenty.

Rounding follows transformers' modules: a sum of residuals, a normalised row and an activation are
rounded to the model's dtype where ``Qwen2RMSNorm`` and ``Qwen2MLP`` (modeling_qwen2_5_vl.py at
4.55.2) round them. Each program owns its rows: no atomics, no tuning by time, so the same input
gives the same bytes. Imported only where Triton is (``qwen.elementwise``); needs a GPU, or
``TRITON_INTERPRET=1``.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _add_norm_rows(
    hidden, delta, weight, normed, width, eps, add: tl.constexpr, block: tl.constexpr
):
    start = tl.program_id(0).to(tl.int64) * width
    column = tl.arange(0, block)
    inside = column < width
    row = tl.load(hidden + start + column, mask=inside, other=0.0)
    if add:
        more = tl.load(delta + start + column, mask=inside, other=0.0)
        row = (row.to(tl.float32) + more.to(tl.float32)).to(hidden.dtype.element_ty)
        tl.store(hidden + start + column, row, mask=inside)
    wide = row.to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(wide * wide, axis=0) / width + eps)
    scaled = (wide * scale).to(hidden.dtype.element_ty).to(tl.float32)
    factor = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(normed + start + column, (scaled * factor).to(normed.dtype.element_ty), mask=inside)


@triton.jit
def _swiglu_rows(both, out, width, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    inside = column < width
    gate = tl.load(both + row * 2 * width + column, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(both + row * 2 * width + width + column, mask=inside, other=0.0).to(tl.float32)
    silu = (gate / (1.0 + tl.exp(-gate))).to(both.dtype.element_ty).to(tl.float32)
    tl.store(out + row * width + column, (silu * up).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _rotate_rows(
    rows, cos, sin, stride, count, half, heads_block: tl.constexpr, half_block: tl.constexpr
):
    token = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, heads_block)[:, None]
    column = tl.arange(0, half_block)[None, :]
    inside = (head < count) & (column < half)
    at = rows + token * stride + head * 2 * half + column
    first = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(at + half, mask=inside, other=0.0).to(tl.float32)
    c = tl.load(cos + token * half + column, mask=column < half, other=0.0).to(tl.float32)
    s = tl.load(sin + token * half + column, mask=column < half, other=0.0).to(tl.float32)
    tl.store(at, (first * c - second * s).to(rows.dtype.element_ty), mask=inside)
    tl.store(at + half, (second * c + first * s).to(rows.dtype.element_ty), mask=inside)


def norm(hidden: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMSNorm of rows: (tokens, width)."""
    return _add_norm(hidden, None, weight, eps)


def add_norm(hidden: Tensor, delta: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``hidden += delta`` in place, and its RMSNorm."""
    return _add_norm(hidden, delta, weight, eps)


def _add_norm(hidden: Tensor, delta: Tensor | None, weight: Tensor, eps: float) -> Tensor:
    tokens, width = hidden.shape
    normed = torch.empty_like(hidden)
    block = triton.next_power_of_2(width)
    if tokens:
        _add_norm_rows[(tokens,)](
            hidden,
            hidden if delta is None else delta,
            weight,
            normed,
            width,
            eps,
            add=delta is not None,
            block=block,
            num_warps=min(16, max(1, block // 512)),
        )
    return normed


def swiglu(both: Tensor) -> Tensor:
    """``silu(gate) * up`` of rows that hold gate and up side by side: (tokens, 2 mlp)."""
    tokens, width = both.shape[0], both.shape[1] // 2
    out = both.new_empty(tokens, width)
    if tokens:
        block = min(1024, triton.next_power_of_2(width))
        _swiglu_rows[(tokens, triton.cdiv(width, block))](both, out, width, block=block)
    return out


def rotate(qkv: Tensor, cos: Tensor, sin: Tensor, heads: int) -> None:
    """Rotate the first ``heads`` heads of each row in place; cos, sin (tokens, width / 2)."""
    tokens, half = cos.shape
    if tokens:
        _rotate_rows[(tokens,)](
            qkv,
            cos,
            sin,
            qkv.stride(0),
            heads,
            half,
            heads_block=triton.next_power_of_2(heads),
            half_block=triton.next_power_of_2(half),
        )
