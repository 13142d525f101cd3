"""Conversations of a PRM as tokens: a prefix (system, images, question) and branches (solutions).

The one way from question and steps to token ids, for the scorer and for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vlprm.families.family import PRMLayout
from vlprm.records import ImageRef


class Encoder(Protocol):
    """Tokenizer and image rule of one checkpoint."""

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, special tokens recognised."""
        ...

    def token_id(self, token: str) -> int:
        """Id of a token the vocabulary must have. Raises UserError when it is not one token."""
        ...

    def image_tokens(self, ref: ImageRef) -> int:
        """Visual tokens of an image."""
        ...


@dataclass(frozen=True, slots=True)
class Solution:
    """Steps with an answer each; a last answer of None is left open."""

    steps: tuple[str, ...]
    answers: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """What follows the prefix in one solution."""

    ids: tuple[int, ...]
    readouts: tuple[int, ...]
    """Where each step is read, counted from the first token of the prefix: the answer is predicted
    there, and an answer that is given follows."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Solutions of one question: their common tokens, and what follows in each."""

    images: tuple[ImageRef, ...]
    prefix: tuple[int, ...]
    """The longest beginning that all branches share and that ends before the first read-out."""
    branches: tuple[Branch, ...]

    def whole(self, branch: Branch) -> tuple[int, ...]:
        """All tokens of one branch."""
        return self.prefix + branch.ids


class ConversationTokens:
    """Tokenises conversations for one checkpoint."""

    def __init__(self, layout: PRMLayout, encoder: Encoder) -> None:
        """Raises UserError for a tokenizer to which a value token is no single token."""
        self._layout, self._encoder = layout, encoder
        self.values = tuple(encoder.token_id(token) for token in layout.value_tokens)
        """Token ids of label 1 and label 0."""
        self.right, self.wrong = layout.value_tokens
        self._header = encoder.ids(layout.answer_header)
        self._turn_end = encoder.token_id(layout.turn_end)

    def conversation(
        self,
        system: str,
        images: tuple[ImageRef, ...],
        question: str,
        solutions: Sequence[Solution],
    ) -> Conversation:
        """One branch per solution, in their order.

        Raises ValueError when a solution's answers are not found in its tokens, one per step.
        """
        counts = [self._encoder.image_tokens(ref) for ref in images]
        rows: list[list[int]] = []
        places: list[list[int]] = []
        for solution in solutions:
            text = self._layout.text(system, question, solution.steps, solution.answers, counts)
            rows.append(self._encoder.ids(text))
            places.append(readout_positions(rows[-1], self._header, self._turn_end))
            if len(places[-1]) != len(solution.steps):
                raise ValueError(
                    f"{len(solution.steps)} steps, {len(places[-1])} answers in tokens"
                )
        length = _shared(rows, min(found[0] for found in places))
        return Conversation(
            images,
            tuple(rows[0][:length]),
            tuple(
                Branch(tuple(row[length:]), tuple(found))
                for row, found in zip(rows, places, strict=True)
            ),
        )


def _shared(rows: Sequence[Sequence[int]], most: int) -> int:
    """Length of the longest common beginning, of at most ``most`` tokens."""
    first, length = rows[0], most
    for row in rows[1:]:
        if row[:length] != first[:length]:
            length = next(place for place in range(length) if row[place] != first[place])
    return length


def readout_positions(
    token_ids: Sequence[int], answer_header: Sequence[int], turn_end: int
) -> list[int]:
    """Where each turn's score is read in a tokenised conversation: the answer is predicted there.

    ``answer_header`` and ``turn_end`` are the ids of the layout's. One position per step, the last
    token of the header; the answer token, where there is one, follows.
    Found by turn structure, so a ``+`` or ``-`` in a question or step is never taken for an
    answer (upstream defect: HF/sft_qwen.py:301-312).

    Raises ValueError when an answered turn holds anything but one token.
    """
    ids, header = list(token_ids), list(answer_header)
    positions = [
        start + len(header) - 1
        for start, token in enumerate(ids)
        if token == header[0] and ids[start : start + len(header)] == header
    ]
    for position in positions:
        opened = position == len(ids) - 1
        if not opened and ids[position + 2 : position + 3] != [turn_end]:
            raise ValueError(f"the answer after token {position} is not a single token")
    return positions
