"""vLLM 0.10.1.1's own CPU build as an engine for tests and measurements: not for results.

On x86 its prefill attention comes from intel_extension_for_pytorch, which has no build for the
torch used here. ``ready`` supplies that one function in plain torch; decoding, scheduling,
sampling and everything around them is vLLM's own code.
"""

from __future__ import annotations

import os
import sys
import types
from itertools import pairwise
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

OPTIONS = {"enforce_eager": True, "block_size": 16, "max_num_seqs": 64}
"""Further arguments of ``vllm.LLM`` on a CPU."""
_PACKAGE = "intel_extension_for_pytorch"


def ready() -> bool:
    """Prepare this process before ``vllm.LLM`` is made; False when vLLM runs on a GPU."""
    os.environ |= {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
    }
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return False
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "all"}
    torch._dynamo.config.disable = True
    import vllm.v1.attention.backends.cpu_attn as backend

    if backend._use_ipex:
        return True
    stand_in = {name: types.ModuleType(name) for name in (_PACKAGE, f"{_PACKAGE}.llm")}
    modules = types.ModuleType(f"{_PACKAGE}.llm.modules")
    modules.PagedAttention = types.SimpleNamespace(flash_attn_varlen_func=_prefill)  # type: ignore[attr-defined]
    stand_in[modules.__name__] = modules
    plain = backend.TorchSDPABackendImpl.forward

    def forward(self: Any, *given: Any, **named: Any) -> Any:
        # only while it is asked for: elsewhere vLLM asks whether the package is installed
        sys.modules.update(stand_in)
        try:
            return plain(self, *given, **named)
        finally:
            for name in stand_in:
                sys.modules.pop(name, None)

    backend.TorchSDPABackendImpl.forward = forward
    return True


def _prefill(
    out: torch.Tensor,
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    query_starts: torch.Tensor,
    key_starts: torch.Tensor,
    _longest_query: int,
    _longest_key: int,
    scale: float,
    causal: bool,
    tables: torch.Tensor,
    slopes: Any = None,
    *_: Any,
    **__: Any,
) -> None:
    """Causal attention of new tokens over a paged cache, one sequence at a time.

    ``query`` (tokens, heads, width); ``keys`` (blocks, kv heads, width / x, block, x); ``values``
    (blocks, kv heads, width, block); ``tables`` (sequences, blocks of each); result in ``out``.
    """
    if not causal or slopes is not None:
        raise NotImplementedError("only causal attention without slopes")
    block, heads, groups = keys.shape[3], keys.shape[1], query.shape[1] // keys.shape[1]
    width = query.shape[2]
    starts, ends = query_starts.tolist(), key_starts.tolist()
    for row, (first, last) in enumerate(pairwise(starts)):
        length = ends[row + 1] - ends[row]
        used = tables[row, : -(-length // block)].long()
        key = keys[used].permute(0, 3, 1, 2, 4).reshape(-1, heads, width)[:length]
        value = values[used].permute(0, 3, 1, 2).reshape(-1, heads, width)[:length]
        key, value = (t.transpose(0, 1).repeat_interleave(groups, 0) for t in (key, value))
        new = last - first
        seen = torch.ones(new, length, dtype=torch.bool).tril(length - new)
        mixed = scaled_dot_product_attention(
            query[first:last].transpose(0, 1), key, value, attn_mask=seen, scale=scale
        )
        out[first:last] = mixed.transpose(0, 1)
