"""A PRM over transformers: every step of a candidate in one forward, the question only once.

Earlier steps are answered ``+`` (teacher-forced, as published); causality makes the logits of
all read-out positions equal to one forward a step. The common prefix of a question's candidates
(system, image, question) is run once and its keys and values are shared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vlprm.prm.format import ANSWER_HEADER, VALUE_TOKENS, chat_text, readout_positions
from vlprm.protocols import ScoreRequest, StepLogits
from vlprm.qwen.decoder import Decoder, KeyValues
from vlprm.qwen.inputs import Images, PixelBounds, QwenInputs
from vlprm.qwen.model import Dtype, load_model
from vlprm.records import ImageRef

CPU_TOKENS = 4096
"""Tokens of one forward on a CPU: activations that fit its cache, twice as fast as 65,536."""
_WIDTH = 16
"""Branches are padded to a multiple of this, so that few shapes occur."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """One distinct conversation: its tokens and read-out positions."""

    key: tuple[str, tuple[str, ...], tuple[str, ...]]
    ids: tuple[int, ...]
    readouts: tuple[int, ...]


class HFScorer:
    """``protocols.StepScorer`` over a Qwen2.5-VL checkpoint, on CPU or GPU."""

    def __init__(
        self,
        model_dir: Path,
        store: Images,
        *,
        pixels: PixelBounds,
        dtype: Dtype,
        device: str,
        batch_tokens: int,
    ) -> None:
        self._decoder = Decoder(load_model(model_dir, dtype=dtype, device=device))
        self._inputs = QwenInputs(model_dir, store, pixels)
        self._batch_tokens = min(batch_tokens, CPU_TOKENS) if device == "cpu" else batch_tokens
        self._header = self._inputs.ids(ANSWER_HEADER)
        plus, minus = (self._inputs.token_id(token) for token in VALUE_TOKENS)
        self._values = self._decoder.head.weight[[plus, minus]].T

    @torch.inference_mode()
    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        """See ``protocols.StepScorer``. Requests of one question share their prefix."""
        branches: dict[tuple[str, tuple[str, ...], tuple[str, ...]], _Branch] = {}
        families: dict[tuple[str, tuple[ImageRef, ...]], list[_Branch]] = defaultdict(list)
        keys = []
        for request in requests:
            shas = tuple(ref.sha256 for ref in request.images)
            key = (request.system, shas, request.turns)
            keys.append(key)
            if key not in branches:
                branches[key] = self._branch(key, request)
                question = request.turns[0].partition("### Solution Process:")[0]
                families[request.system + "\0" + question, request.images].append(branches[key])
        found: dict[object, tuple[StepLogits, ...]] = {}
        for images, members, shared in self._shelves(families):
            found |= self._batch(images, members, shared)
        return [found[key] for key in keys]

    def _branch(
        self, key: tuple[str, tuple[str, ...], tuple[str, ...]], request: ScoreRequest
    ) -> _Branch:
        answers: list[str | None] = ["+"] * (len(request.turns) - 1)
        counts = [self._inputs.image_tokens(ref) for ref in request.images]
        text = chat_text(request.system, request.turns, [*answers, None], counts)
        ids = self._inputs.ids(text)
        readouts = readout_positions(ids, self._header, self._inputs.turn_end)
        return _Branch(key, tuple(ids), tuple(readouts))

    def _shelves(
        self, families: dict[tuple[str, tuple[ImageRef, ...]], list[_Branch]]
    ) -> list[tuple[list[tuple[ImageRef, ...]], list[list[_Branch]], int]]:
        """Families with prefixes and images of equal size, packed up to ``batch_tokens``."""
        by_shape: dict[object, list[tuple[tuple[ImageRef, ...], list[_Branch], int]]]
        by_shape = defaultdict(list)
        for (_, images), members in families.items():
            shared = _shared(members)
            sizes = tuple(self._inputs.size(ref) for ref in images)
            by_shape[shared, sizes].append((images, members, shared))
        shelves = []
        taken: list[tuple[tuple[ImageRef, ...], list[_Branch]]]
        for group in by_shape.values():
            shared, taken, count, longest = group[0][2], [], 0, 0
            for images, members, _ in group:
                length = max(len(branch.ids) for branch in members)
                longest = max(longest, length)
                if taken and (count + len(members)) * longest > self._batch_tokens:
                    shelves.append(([t[0] for t in taken], [t[1] for t in taken], shared))
                    taken, count, longest = [], 0, length
                taken.append((images, members))
                count += len(members)
            shelves.append(([t[0] for t in taken], [t[1] for t in taken], shared))
        return shelves

    def _batch(
        self, images: list[tuple[ImageRef, ...]], families: list[list[_Branch]], shared: int
    ) -> dict[object, tuple[StepLogits, ...]]:
        decoder = self._decoder
        prefix = torch.tensor([f[0].ids[:shared] for f in families], device=decoder.device)
        patches = self._inputs.patches([ref for refs in images for ref in refs])
        grid = patches.grid_thw if patches else None
        cache = decoder.empty(len(families), shared)
        embedded = decoder.embed(prefix, patches.pixel_values if patches else None, grid)
        positions, delta = decoder.positions(prefix, grid)
        decoder.run(embedded, positions, cache)
        found: dict[object, tuple[StepLogits, ...]] = {}
        flat = [(owner, branch) for owner, family in enumerate(families) for branch in family]
        flat.sort(key=lambda item: len(item[1].ids))  # equal lengths side by side: little padding
        size = max(1, self._batch_tokens // max(len(branch.ids) for _, branch in flat))
        for start in range(0, len(flat), size):
            found |= self._branches(flat[start : start + size], cache, delta, shared)
        return found

    def _branches(
        self, part: list[tuple[int, _Branch]], prefix: KeyValues, delta: Tensor, shared: int
    ) -> dict[object, tuple[StepLogits, ...]]:
        decoder = self._decoder
        longest = max(len(branch.ids) for _, branch in part) - shared
        new = -(-longest // _WIDTH) * _WIDTH
        # padding on the right is never attended by what stands before it
        rows = [[*b.ids[shared:], *[0] * (new - len(b.ids) + shared)] for _, b in part]
        owners = torch.tensor([owner for owner, _ in part], device=decoder.device)
        ids = torch.tensor(rows, device=decoder.device)
        steps = torch.arange(shared, shared + new, device=decoder.device)
        positions = (delta[owners][:, None] + steps).expand(3, -1, -1)
        cache = prefix.rows(owners, shared + new)
        hidden = decoder.run(decoder.text.embed_tokens(ids), positions, cache)
        row = [r for r, (_, b) in enumerate(part) for _ in b.readouts]
        column = [at - shared for _, b in part for at in b.readouts]
        logits = (hidden[row, column] @ self._values).float().tolist()
        found: dict[object, tuple[StepLogits, ...]] = {}
        place = 0
        for _, branch in part:
            pairs = logits[place : place + len(branch.readouts)]
            place += len(branch.readouts)
            found[branch.key] = tuple(
                StepLogits(plus, minus, at + 1)
                for (plus, minus), at in zip(pairs, branch.readouts, strict=True)
            )
        return found


def _shared(members: list[_Branch]) -> int:
    """Length of the longest common token prefix that ends before every first read-out."""
    first = members[0].ids
    length = min(branch.readouts[0] for branch in members)
    for branch in members[1:]:
        for place in range(length):
            if branch.ids[place] != first[place]:
                length = place
                break
    return length
