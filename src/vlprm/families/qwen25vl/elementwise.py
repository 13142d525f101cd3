"""The text tower's elementwise work, in plain torch, compiled by torch, or as Triton kernels.

All three compute the same formulas on rows (tokens, ...) of the packed forward; they differ in
rounding within a bfloat16 step, in speed, and in what they need. Each is deterministic.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu

from vlprm.errors import UserError
from vlprm.provenance import note

SWITCH = "VLPRM_ELEMENTWISE"
"""Environment variable: ``eager``, ``compiled`` or ``triton``; ``auto`` (the default) is Triton on
a GPU where it is installed, else eager."""
KINDS = ("auto", "eager", "compiled", "triton")


@dataclass(frozen=True, slots=True)
class Elementwise:
    """``norm(hidden, weight, eps)``; ``add_norm(hidden, delta, weight, eps)`` adds in place and
    normalises the sum; ``swiglu(both)``; ``rotate(qkv, cos, sin, heads)`` works in place."""

    name: str
    norm: Callable[[Tensor, Tensor, float], Tensor]
    add_norm: Callable[[Tensor, Tensor, Tensor, float], Tensor]
    swiglu: Callable[[Tensor], Tensor]
    rotate: Callable[[Tensor, Tensor, Tensor, int], None]


def norm(hidden: Tensor, weight: Tensor, eps: float) -> Tensor:
    """As ``Qwen2RMSNorm.forward`` (modeling_qwen2_5_vl.py at transformers 4.55.2)."""
    wide = hidden.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * wide.to(hidden.dtype)


def add_norm(hidden: Tensor, delta: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``hidden += delta``, and its norm."""
    hidden += delta
    return norm(hidden, weight, eps)


def swiglu(both: Tensor) -> Tensor:
    """As ``Qwen2MLP.forward`` between its products: (tokens, 2 mlp) -> (tokens, mlp)."""
    gate, up = both.chunk(2, dim=-1)
    return silu(gate) * up


def rotate(qkv: Tensor, cos: Tensor, sin: Tensor, heads: int) -> None:
    """Rotate the first ``heads`` heads of each row in place.

    cos and sin (tokens, width / 2), the sections of M-RoPE already chosen: what
    ``apply_multimodal_rotary_pos_emb`` does with both equal halves of them.
    """
    half = cos.shape[1]
    turned = qkv[:, : heads * 2 * half].view(len(qkv), heads, 2, half)
    first, second = turned[:, :, 0], turned[:, :, 1]
    c, s = cos[:, None], sin[:, None]
    turned.copy_(torch.stack((first * c - second * s, second * c + first * s), dim=2))


EAGER = Elementwise("eager", norm, add_norm, swiglu, rotate)


def choose(device: torch.device | str, wanted: str | None = None) -> Elementwise:
    """What ``wanted``, or the environment, says; noted for the stage's record.

    Raises UserError for an unknown kind, and for Triton where it is not installed.
    """
    kind = wanted or os.environ.get(SWITCH) or "auto"
    if kind not in KINDS:
        raise UserError(
            f"{kind!r} is no way to run elementwise work",
            where=f"environment variable {SWITCH}",
            cure=", ".join(KINDS),
        )
    there = importlib.util.find_spec("triton") is not None
    if kind == "auto":
        kind = "triton" if there and torch.device(device).type == "cuda" else "eager"
    if kind == "triton" and not there:
        raise UserError(
            "Triton is not installed",
            where=f"environment variable {SWITCH}",
            cure="run in the gpu image, or choose eager",
        )
    found = {"eager": lambda: EAGER, "compiled": _compiled, "triton": _triton}[kind]()
    note("elementwise", found.name)
    return found


def _compiled() -> Elementwise:
    """torch.compile with the number of tokens free, so that one compilation serves all batches."""
    made: list[Any] = [
        torch.compile(each, dynamic=True, fullgraph=True)
        for each in (norm, add_norm, swiglu, rotate)
    ]
    return Elementwise(f"compiled (torch {torch.__version__})", *made)


def _triton() -> Elementwise:
    kernels = importlib.import_module("vlprm.families.qwen25vl.kernels")
    version = importlib.import_module("triton").__version__
    return Elementwise(
        f"triton {version}", kernels.norm, kernels.add_norm, kernels.swiglu, kernels.rotate
    )
