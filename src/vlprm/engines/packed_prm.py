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

from vlprm.config.scoring_memory import KEYS_PER_TOKEN
from vlprm.engines.candidates import Candidates, Found, Key, logits
from vlprm.errors import UserError
from vlprm.families.conversations import Branch, Conversation, ConversationTokens
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.packed import PackedDecoder, Part, Work
from vlprm.records import ImageRef

IN_FLIGHT = 2
"""Batches queued on the card before the host waits: bounds what they hold in memory."""


_Asked = tuple[Key, Branch]


@dataclass(slots=True)
class _Batch:
    """Parts in the order they are packed: a prefix, then what continues it."""

    parts: list[Part] = field(default_factory=list)
    positions: list[Tensor] = field(default_factory=list)
    readouts: list[list[int]] = field(default_factory=list)
    branches: list[_Asked] = field(default_factory=list)
    images: list[ImageRef] = field(default_factory=list)
    tokens: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The beginning that candidates of a question share."""

    ids: tuple[int, ...]
    images: tuple[ImageRef, ...]
    positions: Tensor
    delta: int


class PackedScorer:
    """Candidates of questions to logits over a ``PackedDecoder``."""

    def __init__(
        self,
        decoder: PackedDecoder,
        inputs: QwenInputs,
        tokens: ConversationTokens,
        values: Tensor,
        *,
        batch_tokens: int,
        most_tokens: int,
    ) -> None:
        """``values`` (2, width) are the value tokens' rows of the head.

        Batches hold ``batch_tokens``; one longer conversation may go alone, up to ``most_tokens``.
        """
        self._decoder, self._inputs, self._tokens = decoder, inputs, tokens
        self._values = values.float().T.contiguous()
        self._batch_tokens, self._most = min(batch_tokens, most_tokens), most_tokens
        self.work = Work()

    def score(self, questions: Sequence[Candidates]) -> Found:
        """The logits of every candidate.

        Raises UserError for one that does not fit the card's memory.
        """
        found: Found = {}
        queued: deque[tuple[list[_Asked], Tensor, torch.cuda.Event | None]] = deque()
        for batch in self._batches(questions):
            queued.append(self._start(batch))
            if len(queued) > IN_FLIGHT:
                found |= _read(*queued.popleft())
        while queued:
            found |= _read(*queued.popleft())
        return found

    def _batches(self, questions: Sequence[Candidates]) -> Iterator[_Batch]:
        batch = _Batch()
        for number, candidates in enumerate(questions):
            self._inputs.ahead(ref for later in questions[number:] for ref in later.images)
            asked = candidates.conversation(self._tokens)
            prefix = self._prefix(asked)
            owner: int | None = None
            for key, branch in zip(candidates.keys, asked.branches, strict=True):
                whole = len(prefix.ids) + len(branch.ids)
                begun = 0 if owner is not None else len(prefix.ids)
                tokens = batch.tokens + len(branch.ids) + begun
                keys = batch.keys + whole + begun
                if batch.branches and (
                    tokens > self._batch_tokens or keys > KEYS_PER_TOKEN * self._batch_tokens
                ):
                    yield batch
                    batch, owner = _Batch(), None
                if whole > self._most:
                    raise self._too_long(whole)
                if owner is None:
                    owner = _begin(batch, prefix)
                _add(batch, (key, branch), prefix, owner)
        if batch.branches:
            yield batch

    def _prefix(self, asked: Conversation) -> _Prefix:
        grids = [self._inputs.grid(ref) for ref in asked.images]
        positions, delta = self._decoder.rope(asked.prefix, torch.tensor(grids) if grids else None)
        return _Prefix(asked.prefix, asked.images, positions, delta)

    def _start(self, batch: _Batch) -> tuple[list[_Asked], Tensor, torch.cuda.Event | None]:
        """Queue a batch on the card; its logits arrive in host memory later."""
        patches = self._inputs.patches(batch.images)
        last, work = self._decoder.run(batch.parts, batch.positions, patches, batch.readouts)
        self.work += work
        pairs = (last.float() @ self._values).to("cpu", non_blocking=True)
        if last.device.type != "cuda":
            return batch.branches, pairs, None
        with torch.cuda.device(last.device):
            event = torch.cuda.Event()
            event.record()
        return batch.branches, pairs, event

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


def _add(batch: _Batch, asked: _Asked, prefix: _Prefix, owner: int) -> None:
    branch, start = asked[1], len(prefix.ids)
    steps = torch.arange(start, start + len(branch.ids)) + prefix.delta
    batch.parts.append(Part(branch.ids, owner))
    batch.positions.append(steps.expand(3, -1))
    batch.readouts.append([at - start for at in branch.readouts])
    batch.branches.append(asked)
    batch.tokens += len(branch.ids)
    batch.keys += start + len(branch.ids)


def _read(branches: list[_Asked], values: Tensor, event: torch.cuda.Event | None) -> Found:
    if event is not None:
        event.synchronize()
    pairs = values.tolist()
    found: Found = {}
    place = 0
    for key, branch in branches:
        found[key] = logits(branch, pairs[place : place + len(branch.readouts)])
        place += len(branch.readouts)
    return found
