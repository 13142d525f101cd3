"""From labelled conversations to batches; loss only where a value token is predicted.

A batch is padded on the right, or packed: its conversations side by side in one row, without
padding, for attention that knows where each begins (``training.packed``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from vlprm.prm.format import ANSWER_HEADER, VALUE_TOKENS, chat_text, readout_positions
from vlprm.qwen.inputs import Patches, QwenInputs
from vlprm.records import ImageRef, PRMExample

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Conversation:
    """One tokenised example. ``targets``: (position, token) pairs, position predicts token."""

    ids: tuple[int, ...]
    targets: tuple[tuple[int, int], ...]
    images: tuple[ImageRef, ...]


class PRMCollator:
    """Tokenises examples and batches them.

    ``positions``: rotary positions (3, 1, n) of a row of ids (1, n) and its image grids; given
    where batches are to be packed.
    """

    def __init__(
        self,
        inputs: QwenInputs,
        label_positions: Literal["assistant_turns", "token_scan"],
        positions: Callable[[Tensor, Tensor | None], Tensor] | None = None,
    ) -> None:
        self._inputs, self._positions = inputs, positions
        self._scan = label_positions == "token_scan"
        self._header = inputs.ids(ANSWER_HEADER)
        self.value_ids = [inputs.token_id(token) for token in VALUE_TOKENS]
        """Token ids of label 1 and label 0."""
        self._pad = int(inputs.tokenizer.convert_tokens_to_ids("<|endoftext|>"))

    def conversation(self, example: PRMExample) -> Conversation:
        """Tokens and targets; exactly one target a labelled turn.

        A turn without a label is answered ``+`` in the text, as at scoring, and carries no loss.
        """
        plus, minus = self.value_ids
        answers = [VALUE_TOKENS[1] if label == 0 else VALUE_TOKENS[0] for label in example.labels]
        counts = [self._inputs.image_tokens(ref) for ref in example.images]
        ids = self._inputs.ids(chat_text(example.system, example.turns, answers, counts))
        places = readout_positions(ids, self._header, self._inputs.turn_end)
        if len(places) != len(example.labels):
            raise ValueError(f"{example.rollout_id}: {len(places)} answers in the tokens")
        if self._scan:
            found = [(at - 1, token) for at, token in enumerate(ids) if token in self.value_ids]
        else:
            found = [
                (place, minus if label == 0 else plus)
                for place, label in zip(places, example.labels, strict=True)
                if label is not None
            ]
        for place, token in found:
            if ids[place + 1] != token:
                raise ValueError(f"{example.rollout_id}: token {place + 1} is not its label")
        return Conversation(tuple(ids), tuple(found), example.images)

    def __call__(self, batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Tensors of a batch: input_ids, labels (at predicting positions), patches and grids.

        Padded: (rows, longest) with attention_mask. Packed: (1, tokens) with position_ids
        (3, 1, tokens), cu_seqlens (rows + 1, where each row begins and ends) and longest.
        """
        rows: list[Conversation] = [item["conversation"] for item in batch]
        patches = self._inputs.patches([ref for row in rows for ref in row.images])
        found = self._padded(rows) if self._positions is None else self._packed(rows, patches)
        if patches is not None:
            found |= {"pixel_values": patches.pixel_values, "image_grid_thw": patches.grid_thw}
        return found

    def _padded(self, rows: Sequence[Conversation]) -> dict[str, Any]:
        longest = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), longest), self._pad)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, IGNORED)
        for number, row in enumerate(rows):
            ids[number, : len(row.ids)] = torch.tensor(row.ids)
            mask[number, : len(row.ids)] = 1
            for place, token in row.targets:
                labels[number, place] = token
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def _packed(self, rows: Sequence[Conversation], patches: Patches | None) -> dict[str, Any]:
        assert self._positions is not None
        lengths = [len(row.ids) for row in rows]
        ends = torch.tensor([0, *lengths]).cumsum(0)
        ids = torch.tensor([token for row in rows for token in row.ids])[None]
        labels = torch.full_like(ids, IGNORED)
        places, image = [], 0
        for row, start in zip(rows, ends.tolist(), strict=False):
            for place, token in row.targets:
                labels[0, start + place] = token
            grids = patches.grid_thw[image : image + len(row.images)] if patches else None
            image += len(row.images)
            own = ids[:, start : start + len(row.ids)]
            places.append(self._positions(own, grids if row.images else None))
        return {
            "input_ids": ids,
            "labels": labels,
            "position_ids": torch.cat(places, dim=-1),
            "cu_seqlens": ends.to(torch.int32),
            "longest": max(lengths),
        }
