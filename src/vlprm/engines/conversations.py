"""Score requests as tokens: distinct conversations, grouped by the question they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vlprm.prm.format import ANSWER_HEADER, chat_text, readout_positions
from vlprm.protocols import ScoreRequest, StepLogits
from vlprm.qwen.inputs import QwenInputs
from vlprm.records import ImageRef

Key = tuple[str, tuple[str, ...], tuple[str, ...]]
Found = dict[Key, tuple[StepLogits, ...]]


@dataclass(frozen=True, slots=True)
class Branch:
    """One distinct conversation: its tokens and read-out positions."""

    key: Key
    ids: tuple[int, ...]
    readouts: tuple[int, ...]

    def logits(self, pairs: Sequence[Sequence[float]]) -> tuple[StepLogits, ...]:
        """One value a read-out, from (plus, minus) pairs."""
        return tuple(
            StepLogits(plus, minus, at + 1)
            for (plus, minus), at in zip(pairs, self.readouts, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Family:
    """Conversations about one question: what they have in common comes first."""

    images: tuple[ImageRef, ...]
    requests: tuple[tuple[Key, ScoreRequest], ...]


def key_of(request: ScoreRequest) -> Key:
    """What makes two conversations the same."""
    return request.system, tuple(ref.sha256 for ref in request.images), request.turns


def families(requests: Sequence[ScoreRequest]) -> list[Family]:
    """Distinct conversations by question, in the order of their first requests."""
    seen: set[Key] = set()
    groups: dict[tuple[str, tuple[ImageRef, ...]], list[tuple[Key, ScoreRequest]]]
    groups = defaultdict(list)
    for request in requests:
        key = key_of(request)
        if key not in seen:
            seen.add(key)
            question = request.turns[0].partition("### Solution Process:")[0]
            groups[request.system + "\0" + question, request.images].append((key, request))
    return [Family(images, tuple(members)) for (_, images), members in groups.items()]


class Conversations:
    """Turns requests into tokens; earlier steps are answered ``+``."""

    def __init__(self, inputs: QwenInputs) -> None:
        self._inputs = inputs
        self._header = inputs.ids(ANSWER_HEADER)

    def branches(self, family: Family) -> list[Branch]:
        """The conversations of a family as tokens."""
        return [self._branch(key, request) for key, request in family.requests]

    def _branch(self, key: Key, request: ScoreRequest) -> Branch:
        answers: list[str | None] = ["+"] * (len(request.turns) - 1)
        counts = [self._inputs.image_tokens(ref) for ref in request.images]
        text = chat_text(request.system, request.turns, [*answers, None], counts)
        ids = self._inputs.ids(text)
        readouts = readout_positions(ids, self._header, self._inputs.turn_end)
        return Branch(key, tuple(ids), tuple(readouts))


def shared(members: Sequence[Branch]) -> int:
    """Length of the longest common token prefix that ends before every first read-out."""
    first = members[0].ids
    length = min(branch.readouts[0] for branch in members)
    for branch in members[1:]:
        if branch.ids[:length] != first[:length]:
            length = next(place for place in range(length) if branch.ids[place] != first[place])
    return length
