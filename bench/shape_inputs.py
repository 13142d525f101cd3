"""Questions, policies and searches for measurements at real shapes, where weights are random.

Pictures are noise of the stated size and differ from question to question; the text has the stated
length in the mini tokenizer's tokens.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import Qwen2TokenizerFast

from vlprm.io.images import ImageStore
from vlprm.protocols import Completion, GenerationRequest, ScoreRequest, StepLogits
from vlprm.records import AnswerType, Message, Rollout, Sample, Sampling
from vlprm.solutions.rollouts import to_rollout
from vlprm.solutions.steps import SEPARATOR

WORDS = ("the", "shape", "in", "row", "three", "is", "blue", "and", "each", "one", "more", "side")


def questions(
    count: int, size: tuple[int, int], words: int, seed: int, store: ImageStore
) -> list[Sample]:
    """``count`` questions of about ``words`` words, each with a picture of ``size`` of its own."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        noise = random.integers(0, 256, (size[1] // 28 + 1, size[0] // 28 + 1, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)
        text = " ".join(WORDS[place] for place in random.integers(0, len(WORDS), words))
        found.append(
            Sample(
                id=f"shape/{seed}/{number}",
                question=text,
                images=(store.put(image),),
                answer="1",
                answer_type=AnswerType.INTEGER,
            )
        )
    return found


def messages(sample: Sample) -> tuple[Message, ...]:
    """The chat of a question."""
    return (Message(role="user", text=sample.question, images=sample.images),)


class Rendering:
    """``search.expand.Rendering`` for these questions."""

    def messages(self, sample: Sample) -> tuple[Message, ...]:
        return messages(sample)

    def question(self, sample: Sample) -> str:
        return sample.question

    def steps(self, text: str) -> tuple[str, ...]:
        return tuple(part for part in text.split(SEPARATOR) if part.strip())

    def rollout(self, sample: Sample, completion: Completion, *, seed: int) -> Rollout:
        return to_rollout(sample, "random", 0, completion, seed=seed, layout="blank_lines")


class SteppingPolicy:
    """Cuts steps where a random model does: at a letter instead of a blank line.

    A random model draws every token about as often as any other, so a blank line comes once in some
    hundred tokens. The letter is the one whose tokens make steps of about ``length`` tokens.
    """

    def __init__(self, policy: Any, model_dir: Path, length: int) -> None:
        self.policy, self.seconds, self.tokens = policy, 0.0, 0
        names = Qwen2TokenizerFast.from_pretrained(model_dir).get_vocab()
        share = {
            c: sum(c in name for name in names) / len(names) for c in "abcdefghijklmnopqrstuvwxyz"
        }
        self.cut = min(share, key=lambda letter: abs(share[letter] - 1 / length))

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        asked = [
            GenerationRequest(item.id, item.messages, item.prefix, item.seeds, (self.cut,))
            for item in requests
        ]
        started = time.monotonic()
        drawn = self.policy.generate(asked, sampling)
        self.seconds += time.monotonic() - started
        self.tokens += sum(item.completion_tokens for row in drawn for item in row)
        return [tuple(self._step(item) for item in row) for row in drawn]

    def _step(self, item: Completion) -> Completion:
        if item.stopped_by is None:
            return item
        return Completion(
            item.text + SEPARATOR, "stop", SEPARATOR, item.prompt_tokens, item.completion_tokens
        )


class TimedScorer:
    """A scorer and the time it took."""

    def __init__(self, scorer: Any) -> None:
        self.scorer, self.seconds, self.calls = scorer, 0.0, 0

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        started = time.monotonic()
        found = self.scorer.score(requests)
        self.seconds += time.monotonic() - started
        self.calls += len(requests)
        return found
