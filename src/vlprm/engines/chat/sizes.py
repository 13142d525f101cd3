"""How many tokens a request has, before an endpoint says so."""

from __future__ import annotations

from collections import deque

from vlprm.protocols import JudgeRequest

CHARACTERS = 3.5
"""Of text in a token, on the safe side: English has about four."""
PATCH, PATCHES, PER_PATCH = 32, 1536, 1.72
"""An image is so many patches of 32 x 32 pixels, at most 1536, each 1.72 tokens (o4-mini)."""
FRAME = 16
"""Tokens of a message's frame."""
_KEPT = 64


def prompt_tokens(request: JudgeRequest) -> float:
    """A first guess, from text and image sizes."""
    total = 0.0
    for message in request.messages:
        total += FRAME + len(message.text) / CHARACTERS
        for ref in message.images:
            patches = -(-ref.width // PATCH) * -(-ref.height // PATCH)
            total += min(patches, PATCHES) * PER_PATCH
    return total


class Sizes:
    """Guesses that are corrected by what endpoints counted: the largest ratio of late."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=_KEPT)

    def guess(self, request: JudgeRequest) -> int:
        """Tokens of the prompt."""
        return max(1, round(prompt_tokens(request) * max(self._ratios, default=1.0)))

    def learn(self, request: JudgeRequest, prompt: int) -> None:
        """An endpoint counted so many."""
        if prompt > 0:
            self._ratios.append(prompt / prompt_tokens(request))
