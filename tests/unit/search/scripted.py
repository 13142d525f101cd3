"""Models that answer by a script, and a search over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vlprm.protocols import Completion, GenerationRequest, ScoreRequest, StepLogits
from vlprm.records import AnswerType, Message, Rollout, Sample, Sampling
from vlprm.search.expand import Setting
from vlprm.search.keep.block import SearchBlock
from vlprm.search.loop import Found, search

SAMPLING = Sampling(temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0, max_tokens=100)
STEP_TOKENS = 20
COMMON = {
    "max_steps": 5,
    "step_tokens": STEP_TOKENS,
    "deduplicate": True,
    "stop_at_box": False,
}


def step(text: str, tokens: int = 1) -> Completion:
    return Completion(f"{text}\n\n", "stop", "\n\n", 5, tokens)


def end(text: str) -> Completion:
    return Completion(text, "stop", None, 5, 1)


def cut(text: str) -> Completion:
    return Completion(text, "length", None, 5, 1)


ERROR = Completion("", "error", None, 0, 0, "connection lost")


@dataclass
class ScriptedPolicy:
    """Replies by prefix, each prefix's in their order and then again; keeps what it was asked."""

    script: dict[str, list[Completion]]
    calls: list[list[GenerationRequest]] = field(default_factory=list)

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        assert sampling.max_tokens == STEP_TOKENS
        self.calls.append(list(requests))
        replies = []
        given: dict[tuple[str, str], int] = {}
        for request in requests:
            name = (request.id.split("/")[0], request.prefix)
            first, row = given.get(name, 0), self.script[request.prefix]
            given[name] = first + len(request.seeds)
            replies.append(tuple(row[(first + i) % len(row)] for i in range(len(request.seeds))))
        return replies


@dataclass
class ScriptedScorer:
    """The margin of a step is looked up by its text; tokens are 100 unless given."""

    margins: dict[str, float]
    tokens: dict[str, int] = field(default_factory=dict)
    calls: list[list[ScoreRequest]] = field(default_factory=list)

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        self.calls.append(list(requests))
        return [
            tuple(
                StepLogits(self.margins[text], 0.0, self.tokens.get(text, 100))
                for text in steps_of(request)
            )
            for request in requests
        ]


def steps_of(request: ScoreRequest) -> list[str]:
    return list(request.steps)


class Rendering:
    def messages(self, sample: Sample) -> tuple[Message, ...]:
        return (Message(role="user", text=sample.question),)

    def question(self, sample: Sample) -> str:
        return sample.question

    def steps(self, text: str) -> tuple[str, ...]:
        if "unparsable" in text:
            return ()
        return tuple(piece for piece in text.split("\n\n") if piece)

    def rollout(self, sample: Sample, completion: Completion, *, seed: int) -> Rollout:
        return Rollout(
            id=f"{sample.id}#000",
            sample_id=sample.id,
            text=completion.text,
            steps=(),
            answer=completion.text.split()[-1] if completion.text else None,
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seed=seed,
        )


@dataclass(frozen=True)
class Ran:
    """A search and what its models were asked."""

    found: list[Found]
    policy: ScriptedPolicy
    scorer: ScriptedScorer

    @property
    def one(self) -> Found:
        (result,) = self.found
        return result


def ran(
    config: SearchBlock,
    script: dict[str, list[Completion]],
    margins: dict[str, float],
    *,
    tokens: dict[str, int] | None = None,
    ids: Sequence[str] = ("q",),
) -> Ran:
    samples = [
        Sample(id=i, question="?", images=(), answer="1", answer_type=AnswerType.TEXT) for i in ids
    ]
    policy, scorer = ScriptedPolicy(script), ScriptedScorer(margins, tokens or {})
    setting = Setting(config, Rendering(), SAMPLING, "s")
    found = search(samples, policy, scorer, setting, seed=1, key=("name", "small", "prm"))
    return Ran(found, policy, scorer)
