"""What search and the stages need of an engine: batches in, batches out, failures as values.

Engines live in ``vlprm.engines``; scripted fakes for tests implement the same protocols.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from vlprm.records import FinishReason, ImageRef, Message, Sample, Sampling, Step


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Draw ``len(seeds)`` completions of one prompt.

    ``prefix`` is assistant text that is already fixed: the completion truly continues it (no
    new turn). A completion ends at the end-of-turn token, at a stop string (kept in the
    text), or at ``Sampling.max_tokens``.
    """

    id: str
    messages: tuple[Message, ...]
    prefix: str
    seeds: tuple[int, ...]
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One drawn completion; ``text`` does not repeat the prefix."""

    text: str
    finish_reason: FinishReason
    stopped_by: str | None
    """The stop string that ended it; None: end of turn (or cut, see ``finish_reason``)."""
    prompt_tokens: int
    completion_tokens: int
    error: str | None = None


def all_failed(completions: Sequence[Completion]) -> str | None:
    """Why a request failed; None when one of its completions came back."""
    errors = [item.error or "error" for item in completions if item.finish_reason == "error"]
    return errors[0] if errors and len(errors) == len(completions) else None


class Policy(Protocol):
    """A model that draws solutions."""

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        """Completions in the order of the requests and of their seeds."""
        ...


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Score every step of a solution; earlier steps are taken as right (teacher-forced).

    How the model's family lays out question and steps is the engine's matter.
    """

    id: str
    system: str
    images: tuple[ImageRef, ...]
    question: str
    """The question as it was shown to the policy: its user prompt, rendered."""
    steps: tuple[str, ...]
    """At least one."""


@dataclass(frozen=True, slots=True)
class StepLogits:
    """Raw logits of the value tokens at one step's read-out position."""

    plus: float
    minus: float
    prompt_tokens: int
    """Tokens up to and including the opened assistant turn, image tokens included."""


class StepScorer(Protocol):
    """A process reward model."""

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        """One :class:`StepLogits` per step, in the order of the requests."""
        ...


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """Ask for the first wrong step of one rollout."""

    id: str
    sample: Sample
    steps: tuple[Step, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """The raw reply; ``status`` "ok" only says that a text came back."""

    text: str
    status: Literal["ok", "cut", "refused", "error"]
    """cut: at the limit of tokens; refused: for good, asking again would not help; error: no reply
    for now (network, rate limit, server)."""
    error: str | None = None
    usage: tuple[int, int] | None = None
    """Tokens of prompt and reply as they are billed, where the endpoint says them."""


class Judge(Protocol):
    """A model that verifies a solution step by step."""

    def judge(self, requests: Sequence[JudgeRequest]) -> Iterator[tuple[int, JudgeReply]]:
        """Replies as they come, each with the place of its request."""
        ...
