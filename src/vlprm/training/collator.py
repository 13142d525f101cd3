"""From labelled conversations to padded batches; loss only where a value token is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from vlprm.prm.format import ANSWER_HEADER, VALUE_TOKENS, chat_text, readout_positions
from vlprm.qwen.inputs import QwenInputs
from vlprm.records import ImageRef, PRMExample

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Conversation:
    """One tokenised example. ``targets``: (position, token) pairs, position predicts token."""

    ids: tuple[int, ...]
    targets: tuple[tuple[int, int], ...]
    images: tuple[ImageRef, ...]


class PRMCollator:
    """Tokenises examples and pads batches on the right."""

    def __init__(
        self, inputs: QwenInputs, label_positions: Literal["assistant_turns", "token_scan"]
    ) -> None:
        self._inputs = inputs
        self._scan = label_positions == "token_scan"
        self._header = inputs.ids(ANSWER_HEADER)
        self._values = [inputs.token_id(token) for token in VALUE_TOKENS]
        self._pad = int(inputs.tokenizer.convert_tokens_to_ids("<|endoftext|>"))

    def conversation(self, example: PRMExample) -> Conversation:
        """Tokens and targets; exactly one target a labelled turn.

        A turn without a label is answered ``+`` in the text, as at scoring, and carries no loss.
        """
        plus, minus = self._values
        answers = [VALUE_TOKENS[1] if label == 0 else VALUE_TOKENS[0] for label in example.labels]
        counts = [self._inputs.image_tokens(ref) for ref in example.images]
        ids = self._inputs.ids(chat_text(example.system, example.turns, answers, counts))
        places = readout_positions(ids, self._header, self._inputs.turn_end)
        if len(places) != len(example.labels):
            raise ValueError(f"{example.rollout_id}: {len(places)} answers in the tokens")
        if self._scan:
            found = [(at - 1, token) for at, token in enumerate(ids) if token in self._values]
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
        """Tensors of a batch: input_ids, attention_mask, labels (at predicting positions)."""
        rows: list[Conversation] = [item["conversation"] for item in batch]
        longest = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), longest), self._pad)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, IGNORED)
        for number, row in enumerate(rows):
            ids[number, : len(row.ids)] = torch.tensor(row.ids)
            mask[number, : len(row.ids)] = 1
            for place, token in row.targets:
                labels[number, place] = token
        found = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        patches = self._inputs.patches([ref for row in rows for ref in row.images])
        if patches is not None:
            found |= {"pixel_values": patches.pixel_values, "image_grid_thw": patches.grid_thw}
        return found
