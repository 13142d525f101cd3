"""Scoring on a CPU: questions of one shape side by side, their prefixes in a cache, rows padded.

What wrote the expected manifests: its bytes are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from vlprm.engines.candidates import Candidates, Found, Key, logits
from vlprm.families.conversations import Branch, Conversation, ConversationTokens
from vlprm.families.qwen25vl.decoder import Decoder, KeyValues
from vlprm.families.qwen25vl.inputs import QwenInputs

CPU_TOKENS = 4096
"""Tokens of one forward on a CPU: activations that fit its cache, twice as fast as 65,536."""
_WIDTH = 16
"""Branches are padded to a multiple of this, so that few shapes occur."""

_Question = tuple[list[Key], Conversation]


class PaddedScorer:
    """Candidates of questions to logits over a ``Decoder``."""

    def __init__(
        self,
        decoder: Decoder,
        inputs: QwenInputs,
        tokens: ConversationTokens,
        batch_tokens: int,
    ) -> None:
        on_cpu = decoder.device.type == "cpu"
        self._decoder, self._inputs, self._tokens = decoder, inputs, tokens
        self._batch_tokens = min(batch_tokens, CPU_TOKENS) if on_cpu else batch_tokens
        # a product in bfloat16 would round the two logits to steps of 1/16 and more
        self._values = decoder.head.weight[list(tokens.values)].float().T

    def score(self, questions: Sequence[Candidates]) -> Found:
        """The logits of every candidate."""
        found: Found = {}
        for shelf in self._shelves(questions):
            found |= self._batch(shelf)
        return found

    def _shelves(self, questions: Sequence[Candidates]) -> list[list[_Question]]:
        """Questions with prefixes and images of equal size, packed up to ``batch_tokens``."""
        by_shape: dict[object, list[_Question]] = defaultdict(list)
        for candidates in questions:
            asked = candidates.conversation(self._tokens)
            sizes = tuple(self._inputs.size(ref) for ref in asked.images)
            by_shape[len(asked.prefix), sizes].append((candidates.keys, asked))
        shelves = []
        for group in by_shape.values():
            taken: list[_Question] = []
            count = longest = 0
            for keys, asked in group:
                length = max(_length(asked, branch) for branch in asked.branches)
                longest = max(longest, length)
                if taken and (count + len(keys)) * longest > self._batch_tokens:
                    shelves.append(taken)
                    taken, count, longest = [], 0, length
                taken.append((keys, asked))
                count += len(keys)
            shelves.append(taken)
        return shelves

    def _batch(self, shelf: Sequence[_Question]) -> Found:
        decoder = self._decoder
        start = len(shelf[0][1].prefix)
        ids = torch.tensor([asked.prefix for _, asked in shelf], device=decoder.device)
        patches = self._inputs.patches([ref for _, asked in shelf for ref in asked.images])
        _, delta, cache = decoder.prefill(ids, patches)
        found: Found = {}
        flat = [
            (owner, key, branch)
            for owner, (keys, asked) in enumerate(shelf)
            for key, branch in zip(keys, asked.branches, strict=True)
        ]
        flat.sort(key=lambda item: len(item[2].ids))  # equal lengths side by side: little padding
        size = max(1, self._batch_tokens // (start + len(flat[-1][2].ids)))
        for first in range(0, len(flat), size):
            found |= self._branches(flat[first : first + size], cache, delta, start)
        return found

    def _branches(
        self, part: list[tuple[int, Key, Branch]], prefix: KeyValues, delta: Tensor, start: int
    ) -> Found:
        decoder = self._decoder
        longest = max(len(branch.ids) for _, _, branch in part)
        new = -(-longest // _WIDTH) * _WIDTH
        # padding on the right is never attended by what stands before it
        rows = [[*branch.ids, *[0] * (new - len(branch.ids))] for _, _, branch in part]
        owners = torch.tensor([owner for owner, _, _ in part], device=decoder.device)
        ids = torch.tensor(rows, device=decoder.device)
        steps = torch.arange(start, start + new, device=decoder.device)
        positions = (delta[owners][:, None] + steps).expand(3, -1, -1)
        cache = prefix.rows(owners, start + new)
        hidden = decoder.run(decoder.text.embed_tokens(ids), positions, cache)
        row = [r for r, (_, _, branch) in enumerate(part) for _ in branch.readouts]
        column = [at - start for _, _, branch in part for at in branch.readouts]
        pairs = (hidden[row, column].float() @ self._values).tolist()
        found: Found = {}
        place = 0
        for _, key, branch in part:
            found[key] = logits(branch, pairs[place : place + len(branch.readouts)])
            place += len(branch.readouts)
        return found


def _length(asked: Conversation, branch: Branch) -> int:
    return len(asked.prefix) + len(branch.ids)
