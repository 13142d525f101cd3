"""Scoring on a CPU: questions of one shape side by side, their prefixes in a cache, rows padded.

What wrote the published manifests: its bytes are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from vlprm.engines.conversations import Branch, Conversations, Family, Found, shared
from vlprm.qwen.decoder import Decoder, KeyValues
from vlprm.qwen.inputs import QwenInputs
from vlprm.records import ImageRef

CPU_TOKENS = 4096
"""Tokens of one forward on a CPU: activations that fit its cache, twice as fast as 65,536."""
_WIDTH = 16
"""Branches are padded to a multiple of this, so that few shapes occur."""

_Shelf = tuple[list[tuple[ImageRef, ...]], list[list[Branch]], int]


class PaddedScorer:
    """Families of requests to logits over a ``Decoder``."""

    def __init__(
        self, decoder: Decoder, inputs: QwenInputs, values: Sequence[int], batch_tokens: int
    ) -> None:
        on_cpu = decoder.device.type == "cpu"
        self._decoder, self._inputs = decoder, inputs
        self._conversations = Conversations(inputs)
        self._batch_tokens = min(batch_tokens, CPU_TOKENS) if on_cpu else batch_tokens
        # a product in bfloat16 would round the two logits to steps of 1/16 and more
        self._values = decoder.head.weight[list(values)].float().T

    def score(self, families: Sequence[Family]) -> Found:
        """The logits of every conversation."""
        found: Found = {}
        for images, members, prefix in self._shelves(families):
            found |= self._batch(images, members, prefix)
        return found

    def _shelves(self, families: Sequence[Family]) -> list[_Shelf]:
        """Families with prefixes and images of equal size, packed up to ``batch_tokens``."""
        by_shape: dict[object, list[tuple[tuple[ImageRef, ...], list[Branch], int]]]
        by_shape = defaultdict(list)
        for family in families:
            members = self._conversations.branches(family)
            prefix = shared(members)
            sizes = tuple(self._inputs.size(ref) for ref in family.images)
            by_shape[prefix, sizes].append((family.images, members, prefix))
        shelves = []
        taken: list[tuple[tuple[ImageRef, ...], list[Branch]]]
        for group in by_shape.values():
            prefix, taken, count, longest = group[0][2], [], 0, 0
            for images, members, _ in group:
                length = max(len(branch.ids) for branch in members)
                longest = max(longest, length)
                if taken and (count + len(members)) * longest > self._batch_tokens:
                    shelves.append(([t[0] for t in taken], [t[1] for t in taken], prefix))
                    taken, count, longest = [], 0, length
                taken.append((images, members))
                count += len(members)
            shelves.append(([t[0] for t in taken], [t[1] for t in taken], prefix))
        return shelves

    def _batch(
        self, images: list[tuple[ImageRef, ...]], families: list[list[Branch]], prefix: int
    ) -> Found:
        decoder = self._decoder
        ids = torch.tensor([f[0].ids[:prefix] for f in families], device=decoder.device)
        patches = self._inputs.patches([ref for refs in images for ref in refs])
        grid = patches.grid_thw if patches else None
        cache = decoder.empty(len(families), prefix)
        embedded = decoder.embed(ids, patches.pixel_values if patches else None, grid)
        positions, delta = decoder.positions(ids, grid)
        decoder.run(embedded, positions, cache)
        found: Found = {}
        flat = [(owner, branch) for owner, family in enumerate(families) for branch in family]
        flat.sort(key=lambda item: len(item[1].ids))  # equal lengths side by side: little padding
        size = max(1, self._batch_tokens // max(len(branch.ids) for _, branch in flat))
        for start in range(0, len(flat), size):
            found |= self._branches(flat[start : start + size], cache, delta, prefix)
        return found

    def _branches(
        self, part: list[tuple[int, Branch]], prefix: KeyValues, delta: Tensor, start: int
    ) -> Found:
        decoder = self._decoder
        longest = max(len(branch.ids) for _, branch in part) - start
        new = -(-longest // _WIDTH) * _WIDTH
        # padding on the right is never attended by what stands before it
        rows = [[*b.ids[start:], *[0] * (new - len(b.ids) + start)] for _, b in part]
        owners = torch.tensor([owner for owner, _ in part], device=decoder.device)
        ids = torch.tensor(rows, device=decoder.device)
        steps = torch.arange(start, start + new, device=decoder.device)
        positions = (delta[owners][:, None] + steps).expand(3, -1, -1)
        cache = prefix.rows(owners, start + new)
        hidden = decoder.run(decoder.text.embed_tokens(ids), positions, cache)
        row = [r for r, (_, b) in enumerate(part) for _ in b.readouts]
        column = [at - start for _, b in part for at in b.readouts]
        logits = (hidden[row, column].float() @ self._values).tolist()
        found: Found = {}
        place = 0
        for _, branch in part:
            found[branch.key] = branch.logits(logits[place : place + len(branch.readouts)])
            place += len(branch.readouts)
        return found
