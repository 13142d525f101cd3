"""Score requests by the question that they share, each distinct one once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vlprm.families.conversations import Branch, Conversation, ConversationTokens, Solution
from vlprm.protocols import ScoreRequest, StepLogits
from vlprm.records import ImageRef

Key = tuple[str, tuple[str, ...], str, tuple[str, ...]]
"""System, images by sha256, question, steps: what makes two requests the same."""
Found = dict[Key, tuple[StepLogits, ...]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Distinct solutions of one question."""

    system: str
    images: tuple[ImageRef, ...]
    question: str
    solutions: tuple[tuple[str, ...], ...]
    """Steps of each, in the order of their first requests."""

    @property
    def keys(self) -> list[Key]:
        """The key of each solution."""
        images = tuple(ref.sha256 for ref in self.images)
        return [(self.system, images, self.question, steps) for steps in self.solutions]

    def conversation(self, tokens: ConversationTokens) -> Conversation:
        """One branch per solution, the last step's answer left open; the others are right."""
        plus = tokens.right
        asked = [Solution(steps, (*[plus] * (len(steps) - 1), None)) for steps in self.solutions]
        return tokens.conversation(self.system, self.images, self.question, asked)


def key_of(request: ScoreRequest) -> Key:
    """What makes two requests the same."""
    images = tuple(ref.sha256 for ref in request.images)
    return request.system, images, request.question, request.steps


def by_question(requests: Sequence[ScoreRequest]) -> list[Candidates]:
    """Distinct requests by question, in the order of their first requests."""
    groups: dict[tuple[str, tuple[ImageRef, ...], str], dict[tuple[str, ...], None]]
    groups = defaultdict(dict)
    for request in requests:
        groups[request.system, request.images, request.question][request.steps] = None
    return [Candidates(*shared, tuple(steps)) for shared, steps in groups.items()]


def logits(branch: Branch, pairs: Sequence[Sequence[float]]) -> tuple[StepLogits, ...]:
    """One value per read-out, from (plus, minus) pairs."""
    return tuple(
        StepLogits(plus, minus, at + 1)
        for (plus, minus), at in zip(pairs, branch.readouts, strict=True)
    )
