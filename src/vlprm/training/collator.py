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

from vlprm.families.conversations import Conversation, ConversationTokens, Solution
from vlprm.families.family import PRMLayout
from vlprm.families.qwen25vl.inputs import Patches, QwenInputs
from vlprm.labels.soft import SoftPRMExample
from vlprm.records import ImageRef, PRMExample

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Labelled:
    """A conversation of one branch. ``targets``: (position, token), position predicts token."""

    conversation: Conversation
    targets: tuple[tuple[int, int], ...]
    soft: tuple[float, ...] = ()
    """The probability of ``+`` at each target, where values are trained on."""

    @property
    def ids(self) -> tuple[int, ...]:
        """All tokens."""
        return self.conversation.whole(self.conversation.branches[0])

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """Images of the question."""
        return self.conversation.images


class PRMCollator:
    """Tokenises examples and batches them.

    ``positions``: rotary positions (3, 1, n) of a row of ids (1, n) and its image grids; given
    where batches are to be packed.
    """

    def __init__(
        self,
        layout: PRMLayout,
        inputs: QwenInputs,
        label_positions: Literal["assistant_turns", "token_scan"],
        positions: Callable[[Tensor, Tensor | None], Tensor] | None = None,
    ) -> None:
        self._inputs, self._positions = inputs, positions
        self._scan = label_positions == "token_scan"
        self._tokens = ConversationTokens(layout, inputs)
        self.value_ids = self._tokens.values
        """Token ids of label 1 and label 0."""
        self._pad = inputs.pad

    def labelled(self, example: PRMExample) -> Labelled:
        """Tokens and targets; exactly one target per labelled step.

        A step without a label is answered as right, as at scoring, and carries no loss.
        """
        plus, minus = self.value_ids
        right, wrong = self._tokens.right, self._tokens.wrong
        answers = tuple(wrong if label == 0 else right for label in example.labels)
        conversation = self._tokens.conversation(
            example.system, example.images, example.question, [Solution(example.steps, answers)]
        )
        (branch,) = conversation.branches
        ids = conversation.whole(branch)
        if self._scan:
            found = [(at - 1, token) for at, token in enumerate(ids) if token in self.value_ids]
        else:
            found = [
                (place, minus if label == 0 else plus)
                for place, label in zip(branch.readouts, example.labels, strict=True)
                if label is not None
            ]
        for place, token in found:
            if ids[place + 1] != token:
                raise ValueError(f"{example.rollout_id}: token {place + 1} is not its label")
        soft: tuple[float, ...] = ()
        if isinstance(example, SoftPRMExample):
            soft = tuple(value for value in example.targets if value is not None)
            if len(soft) != len(found):
                raise ValueError(f"{example.rollout_id}: {len(found)} targets, {len(soft)} values")
        return Labelled(conversation, tuple(found), soft)

    def __call__(self, batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Tensors of a batch: input_ids, labels (at predicting positions), patches and grids.

        With soft labels also the values at the labels (targets,), in their order.
        Padded: (rows, longest) with attention_mask. Packed: (1, tokens) with position_ids
        (3, 1, tokens), cu_seqlens (rows + 1, where each row begins and ends) and longest.
        """
        rows: list[Labelled] = [item["labelled"] for item in batch]
        patches = self._inputs.patches([ref for row in rows for ref in row.images])
        found = self._padded(rows) if self._positions is None else self._packed(rows, patches)
        if patches is not None:
            found |= {"pixel_values": patches.pixel_values, "image_grid_thw": patches.grid_thw}
        if any(row.soft for row in rows):
            found["soft"] = torch.tensor([value for row in rows for value in row.soft])
        return found

    def _padded(self, rows: Sequence[Labelled]) -> dict[str, Any]:
        tokens = [row.ids for row in rows]
        ids = torch.full((len(rows), max(map(len, tokens))), self._pad)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, IGNORED)
        for number, (row, own) in enumerate(zip(rows, tokens, strict=True)):
            ids[number, : len(own)] = torch.tensor(own)
            mask[number, : len(own)] = 1
            for place, token in row.targets:
                labels[number, place] = token
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def _packed(self, rows: Sequence[Labelled], patches: Patches | None) -> dict[str, Any]:
        assert self._positions is not None
        tokens = [row.ids for row in rows]
        lengths = [len(own) for own in tokens]
        ends = torch.tensor([0, *lengths]).cumsum(0)
        ids = torch.tensor([token for own in tokens for token in own])[None]
        labels = torch.full_like(ids, IGNORED)
        places, image = [], 0
        for row, length, start in zip(rows, lengths, ends.tolist(), strict=False):
            for place, token in row.targets:
                labels[0, start + place] = token
            grids = patches.grid_thw[image : image + len(row.images)] if patches else None
            image += len(row.images)
            own = ids[:, start : start + length]
            places.append(self._positions(own, grids if row.images else None))
        return {
            "input_ids": ids,
            "labels": labels,
            "position_ids": torch.cat(places, dim=-1),
            "cu_seqlens": ends.to(torch.int32),
            "longest": max(lengths),
        }
