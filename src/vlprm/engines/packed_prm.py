"""Scoring on GPUs: batches of whole conversations without padding, prepared while the card works.

A batch holds questions in the order of their requests, each prefix once, up to a bound of tokens.
Tokens and patches of the next batches are made while the card runs the last ones; results are read
two batches later, so the card never waits for the host. The same requests give the same batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vlprm.config.scoring_memory import KEYS_A_TOKEN
from vlprm.engines.conversations import Branch, Conversations, Family, Found, shared
from vlprm.errors import UserError
from vlprm.qwen.inputs import QwenInputs
from vlprm.qwen.packed import PackedDecoder, Part, Work
from vlprm.records import ImageRef

IN_FLIGHT = 2
"""Batches queued on the card before the host waits: bounds what they hold in memory."""


@dataclass(slots=True)
class _Batch:
    """Parts in the order they are packed: a prefix, then what continues it."""

    parts: list[Part] = field(default_factory=list)
    positions: list[Tensor] = field(default_factory=list)
    readouts: list[list[int]] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    images: list[ImageRef] = field(default_factory=list)
    tokens: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The beginning that a family's branches share."""

    ids: tuple[int, ...]
    images: tuple[ImageRef, ...]
    positions: Tensor
    delta: int


class PackedScorer:
    """Families of requests to logits over a ``PackedDecoder``."""

    def __init__(
        self,
        decoder: PackedDecoder,
        inputs: QwenInputs,
        values: Tensor,
        *,
        batch_tokens: int,
        most_tokens: int,
    ) -> None:
        """``values`` (2, width) are the value tokens' rows of the head.

        Batches hold ``batch_tokens``; one longer conversation may go alone, up to ``most_tokens``.
        """
        self._decoder, self._inputs = decoder, inputs
        self._conversations = Conversations(inputs)
        self._values = values.float().T.contiguous()
        self._batch_tokens, self._most = min(batch_tokens, most_tokens), most_tokens
        self.work = Work()

    def score(self, families: Sequence[Family]) -> Found:
        """The logits of every conversation.

        Raises UserError for one that does not fit the card's memory.
        """
        found: Found = {}
        queued: deque[tuple[list[Branch], Tensor, torch.cuda.Event | None]] = deque()
        for batch in self._batches(families):
            queued.append(self._start(batch))
            if len(queued) > IN_FLIGHT:
                found |= _read(*queued.popleft())
        while queued:
            found |= _read(*queued.popleft())
        return found

    def _batches(self, families: Sequence[Family]) -> Iterator[_Batch]:
        batch = _Batch()
        for number, family in enumerate(families):
            self._inputs.ahead(ref for later in families[number:] for ref in later.images)
            members = self._conversations.branches(family)
            prefix = self._prefix(family, members)
            owner: int | None = None
            for branch in members:
                new = len(branch.ids) - len(prefix.ids)
                tokens = batch.tokens + new + (0 if owner is not None else len(prefix.ids))
                keys = batch.keys + len(branch.ids) + (0 if owner is not None else len(prefix.ids))
                if batch.branches and (
                    tokens > self._batch_tokens or keys > KEYS_A_TOKEN * self._batch_tokens
                ):
                    yield batch
                    batch, owner = _Batch(), None
                if len(branch.ids) > self._most:
                    raise self._too_long(len(branch.ids))
                if owner is None:
                    owner = _begin(batch, prefix)
                _add(batch, branch, prefix, owner)
        if batch.branches:
            yield batch

    def _prefix(self, family: Family, members: Sequence[Branch]) -> _Prefix:
        ids = members[0].ids[: shared(members)]
        grids = [self._inputs.grid(ref) for ref in family.images]
        positions, delta = self._decoder.rope(ids, torch.tensor(grids) if grids else None)
        return _Prefix(ids, family.images, positions, delta)

    def _start(self, batch: _Batch) -> tuple[list[Branch], Tensor, torch.cuda.Event | None]:
        """Queue a batch on the card; its logits arrive in host memory later."""
        patches = self._inputs.patches(batch.images)
        last, work = self._decoder.run(batch.parts, batch.positions, patches, batch.readouts)
        self.work += work
        logits = (last.float() @ self._values).to("cpu", non_blocking=True)
        if last.device.type != "cuda":
            return batch.branches, logits, None
        with torch.cuda.device(last.device):
            event = torch.cuda.Event()
            event.record()
        return batch.branches, logits, event

    def _too_long(self, tokens: int) -> UserError:
        return UserError(
            f"a conversation of {tokens:,} tokens does not fit the card: {self._most:,} do",
            where="the model's GPU memory",
            cure="lower the model's pixels.max, give it more cards, or leave it a card alone",
        )


def _begin(batch: _Batch, prefix: _Prefix) -> int:
    """Put a prefix into the batch; its number among the parts."""
    batch.parts.append(Part(prefix.ids))
    batch.positions.append(prefix.positions)
    batch.readouts.append([])
    batch.images += prefix.images
    batch.tokens += len(prefix.ids)
    batch.keys += len(prefix.ids)
    return len(batch.parts) - 1


def _add(batch: _Batch, branch: Branch, prefix: _Prefix, owner: int) -> None:
    start = len(prefix.ids)
    steps = torch.arange(start, len(branch.ids)) + prefix.delta
    batch.parts.append(Part(branch.ids[start:], owner))
    batch.positions.append(steps.expand(3, -1))
    batch.readouts.append([at - start for at in branch.readouts])
    batch.branches.append(branch)
    batch.tokens += len(branch.ids) - start
    batch.keys += len(branch.ids)


def _read(branches: list[Branch], logits: Tensor, event: torch.cuda.Event | None) -> Found:
    if event is not None:
        event.synchronize()
    pairs = logits.tolist()
    found: Found = {}
    place = 0
    for branch in branches:
        found[branch.key] = branch.logits(pairs[place : place + len(branch.readouts)])
        place += len(branch.readouts)
    return found
