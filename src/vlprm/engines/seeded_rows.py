"""Draws for the rows of a batch whose members come, move and go.

For an engine that owns the batch (vLLM). What a row draws is a function of its logits, its seed
and the number of its token: not of its place, its neighbours, or of being preempted. One call
draws for all rows; vLLM 0.10.1.1's own seeded sampling starts one kernel a row
(``v1/sample/ops/topk_topp_sampler.py: random_sample``), which costs more than the decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vlprm.engines.sampling import draw
from vlprm.records import Sampling

ROWS_PER_DRAW = 128
"""Rows drawn together: bounds the float64 copies of the logits (0.16 GB for 150,000 tokens)."""
_BLOCK = 256


@dataclass(slots=True)
class _Row:
    sampling: Sampling
    prompt: Sequence[int]
    drawn: Sequence[int]
    """The running list of drawn tokens: its length says which uniform number comes next."""
    source: np.random.Generator
    slot: int
    chances: list[float] = field(default_factory=list)
    marked: bool = False

    def chance(self) -> float:
        """The uniform number of the next token, as ``sampling.uniforms`` would give it."""
        number = len(self.drawn)
        while number >= len(self.chances):
            self.chances += self.source.random(_BLOCK).tolist()
        return self.chances[number]


class SeededRows:
    """The requests of a batch by row."""

    def __init__(self) -> None:
        self._rows: dict[int, _Row] = {}
        self._free: list[int] = []
        self._slots = 0
        self._seen: Tensor | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self, row: int, sampling: Sampling, seed: int, prompt: Sequence[int], drawn: Sequence[int]
    ) -> None:
        """A request enters, or comes back with the tokens it has ``drawn``."""
        self.remove(row)
        if not self._free:
            self._free, self._slots = [self._slots], self._slots + 1
        source = np.random.Generator(np.random.Philox(seed))
        self._rows[row] = _Row(sampling, prompt, drawn, source, self._free.pop())

    def remove(self, row: int) -> None:
        """A request leaves; a row that is not ours is ignored."""
        gone = self._rows.pop(row, None)
        if gone is not None:
            self._free.append(gone.slot)

    def move(self, source: int, target: int, *, swap: bool) -> None:
        """A request changes its row; the one at ``target`` takes its place or is gone."""
        moved, other = self._rows.pop(source, None), self._rows.pop(target, None)
        if moved is not None:
            self._rows[target] = moved
        if other is not None and swap:
            self._rows[source] = other
        elif other is not None:
            self._free.append(other.slot)

    def draw(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Rows that are ours and the tokens they draw, both (rows,) on the device of ``logits``.

        ``logits`` (batch, vocabulary) with barred tokens at -inf.
        """
        groups: dict[Sampling, list[int]] = {}
        for row in sorted(self._rows):
            groups.setdefault(self._rows[row].sampling, []).append(row)
        order, drawn = [], []
        for sampling, rows in groups.items():
            order += rows
            drawn.append(self._draw(logits, rows, sampling))
        return _indices(order, logits), torch.cat(drawn)

    def _draw(self, logits: Tensor, rows: list[int], sampling: Sampling) -> Tensor:
        members = [self._rows[row] for row in rows]
        chances = torch.tensor([member.chance() for member in members], dtype=torch.float64)
        chances = chances.to(logits.device, non_blocking=True)
        slots = self._mark(members, logits) if sampling.repetition_penalty != 1.0 else None
        # the usual batch has one group: no copy of its logits
        some = logits if len(rows) == len(logits) else logits[_indices(rows, logits)]
        drawn = []
        for start in range(0, len(rows), ROWS_PER_DRAW):
            part = slice(start, start + ROWS_PER_DRAW)
            seen = None if slots is None or self._seen is None else self._seen[slots[part]]
            drawn.append(draw(some[part], chances[part], sampling, seen))
        return torch.cat(drawn)

    def _mark(self, members: Sequence[_Row], logits: Tensor) -> Tensor:
        """Note prompt and drawn tokens for the repetition penalty; slots of the members."""
        if self._seen is None or len(self._seen) < self._slots:
            grown = logits.new_zeros((self._slots, logits.shape[-1]), dtype=torch.bool)
            if self._seen is not None:
                grown[: len(self._seen)] = self._seen
            self._seen = grown
        for member in members:
            if not member.marked:
                self._seen[member.slot] = False
                self._seen[member.slot, _indices([*member.prompt, *member.drawn], logits)] = True
                member.marked = True
        slots = _indices([member.slot for member in members], logits)
        newest = [member.drawn[-1] if member.drawn else member.prompt[-1] for member in members]
        self._seen[slots, _indices(newest, logits)] = True
        return slots


def _indices(numbers: Sequence[int], beside: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.long).to(beside.device, non_blocking=True)
