"""The logits processor that vLLM 0.10.1.1 loads: control tokens barred, seeded draws in one call.

vLLM applies it to the logits of a whole batch before its own sampling (``v1/sample/sampler.py``).
Requests that carry our settings are greedy for vLLM: the drawn token is the only one left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from vlprm.engines.seeded_rows import SeededRows
from vlprm.records import Sampling

BARRED = "vlprm_barred"
"""Key of ``VllmConfig.additional_config``: ids that must not be drawn."""
SEED, SAMPLING = "vlprm_seed", "vlprm_sampling"
"""Keys of ``SamplingParams.extra_args``."""


class SeededDraws(LogitsProcessor):
    """See the module; one instance a worker, every worker draws the same."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        del is_pin_memory
        barred = vllm_config.additional_config[BARRED]
        self._barred = torch.tensor(barred, dtype=torch.long, device=device)
        self._rows = SeededRows()
        self._known: dict[tuple[Any, ...], Sampling] = {}

    def is_argmax_invariant(self) -> bool:
        """It decides greedy requests too."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the batch: who came, left and moved, in the order vLLM's own processors use."""
        if batch_update is None:
            return
        for row, params, prompt, drawn in batch_update.added:
            ours = params.extra_args or {}
            if SEED in ours:
                sampling = self._sampling(ours[SAMPLING])
                self._rows.add(row, sampling, ours[SEED], prompt, drawn)
            else:
                self._rows.remove(row)
        for row in batch_update.removed:
            self._rows.remove(row)
        for source, target, direction in batch_update.moved:
            swap = direction == MoveDirectionality.SWAP
            self._rows.move(source, target, swap=swap)

    def apply(self, logits: Tensor) -> Tensor:
        """Barred tokens to -inf, exactly; of a row of ours all but the drawn token as well."""
        logits.index_fill_(1, self._barred, -torch.inf)
        if len(self._rows):
            rows, tokens = self._rows.draw(logits)
            if len(rows) == len(logits):
                logits.fill_(-torch.inf)
            else:
                logits[rows] = -torch.inf
            logits[rows, tokens] = 0.0
        return logits

    def _sampling(self, given: Mapping[str, Any]) -> Sampling:
        key = tuple(given.items())
        if key not in self._known:
            self._known[key] = Sampling.model_validate(dict(given))
        return self._known[key]
