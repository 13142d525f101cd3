"""Linear layers through oneDNN, where bytes are to be the same on every maker's processors.

torch hands float32 products on a CPU to MKL, whose only branch that Intel promises on processors of
every maker (``MKL_CBWR=COMPATIBLE``) uses no vector set beyond SSE2: 2.3 times the time. oneDNN
is part of every torch build too, follows its cap (AVX2) on every processor, and costs nothing
(``bench/determinism.md``). What is left to MKL, attention above all, stays in its slow branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


def use_onednn(model: nn.Module) -> None:
    """Give every linear layer of a float32 model on a CPU oneDNN's product, backward too."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.forward = _forward(module)  # type: ignore[method-assign, assignment]


def _forward(layer: nn.Linear) -> Callable[[Tensor], Tensor]:
    def forward(rows: Tensor) -> Tensor:
        if rows.numel() == 0 or rows.dtype != torch.float32:
            return linear(rows, layer.weight, layer.bias)
        out: Tensor = _Product.apply(rows, layer.weight, layer.bias)
        return out

    return forward


def _product(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``rows @ weight.T + bias``: (..., k), (n, k), (n) -> (..., n)."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return out


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _product(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        to_rows, to_weight, to_bias = ctx.needs_input_grad
        flat = grad.reshape(-1, grad.shape[-1])
        return (
            _product(grad.contiguous(), weight.t(), None) if to_rows else None,
            _product(flat.t(), rows.reshape(-1, rows.shape[-1]).t(), None) if to_weight else None,
            flat.sum(dim=0) if to_bias else None,
        )
