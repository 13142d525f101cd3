"""Engines of a rehearsal: few questions, yet once a batch as full as the run's fullest.

The first call is made again with its requests repeated until the engine is full. So the peak
memory is that of a full batch, and what a full one saves for each request is measured. The answers
are those of the engine itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from vlprm.config.models import ModelConfig
from vlprm.config.rehearsal import in_force
from vlprm.io import meter
from vlprm.protocols import (
    Completion,
    GenerationRequest,
    Policy,
    ScoreRequest,
    StepLogits,
    StepScorer,
)  # fmt: skip
from vlprm.records import Sampling

P = ParamSpec("P")
E = TypeVar("E")
_SEEDS = 1 << 63


def ready(load: Callable[P, E]) -> Callable[P, E]:
    """A loader that tells the meter when its engine stands."""

    @wraps(load)
    def loaded(*args: P.args, **kwargs: P.kwargs) -> E:
        engine = load(*args, **kwargs)
        meter.engine_ready()
        return engine

    return loaded


def policy(
    load: Callable[Concatenate[ModelConfig, P], Policy],
) -> Callable[Concatenate[ModelConfig, P], Policy]:
    """``load_policy`` whose engine fills its first batch where this process rehearses."""

    @wraps(load)
    def loaded(model: ModelConfig, /, *args: P.args, **kwargs: P.kwargs) -> Policy:
        engine = ready(load)(model, *args, **kwargs)
        rehearsal = in_force()
        return engine if rehearsal is None else FullPolicy(engine, rehearsal.sequences)

    return loaded


def scorer(
    load: Callable[Concatenate[ModelConfig, P], StepScorer],
) -> Callable[Concatenate[ModelConfig, P], StepScorer]:
    """``load_scorer`` likewise."""

    @wraps(load)
    def loaded(model: ModelConfig, /, *args: P.args, **kwargs: P.kwargs) -> StepScorer:
        engine = ready(load)(model, *args, **kwargs)
        if in_force() is None:
            return engine
        from vlprm.engines.padded_prm import CPU_TOKENS

        most = model.batch_tokens if model.gpus else min(model.batch_tokens, CPU_TOKENS)
        return FullScorer(engine, most)

    return loaded


class _Gain:
    """What a full batch takes of the time that the first one took, for each unit of work."""

    def __init__(self) -> None:
        self._share: float | None = None

    def measure(
        self, seconds: float, units: int, again: Callable[[], tuple[int, Callable[[], object]]]
    ) -> None:
        """At the first call alone: run ``again()``'s work, of so many units, aside."""
        if self._share is not None:
            return
        self._share = 1.0
        with meter.aside():
            full_units, work = again()
            if full_units == 0:
                return
            began = time.monotonic()
            work()
            full = time.monotonic() - began
        if seconds and units:
            # longer requests than the mean cost more each: never counted as slower
            self._share = min(1.0, (full / full_units) / (seconds / units))

    def count(self, seconds: float) -> None:
        """A call took so long: what full batches would have saved of it."""
        meter.saved_in_full_batches(seconds * (1.0 - (self._share or 1.0)))


class FullPolicy:
    """A policy that draws once ``sequences`` completions at a time."""

    def __init__(self, engine: Policy, sequences: int) -> None:
        self._engine, self._sequences, self._gain = engine, sequences, _Gain()

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        """See ``protocols.Policy``."""
        began = time.monotonic()
        answers = self._engine.generate(requests, sampling)
        seconds = time.monotonic() - began
        drawn = sum(len(request.seeds) for request in requests)

        def again() -> tuple[int, Callable[[], object]]:
            copies = -(-self._sequences // drawn) if 0 < drawn < self._sequences else 0
            repeated = [_other_draws(item, copy) for copy in range(copies) for item in requests]
            # no longer than what was drawn: a stray of max_tokens would be waited for alone
            longest = max((c.completion_tokens for answer in answers for c in answer), default=1)
            bounded = sampling.model_copy(update={"max_tokens": max(1, longest)})
            return copies * drawn, lambda: self._engine.generate(repeated, bounded)

        self._gain.measure(seconds, drawn, again)
        self._gain.count(seconds)
        return answers


def _other_draws(request: GenerationRequest, copy: int) -> GenerationRequest:
    seeds = tuple((seed + copy + 1) % _SEEDS for seed in request.seeds)
    return replace(request, id=f"{request.id}~{copy}", seeds=seeds)


class FullScorer:
    """A scorer that reads once the longest candidate ``batch_tokens`` tokens full."""

    def __init__(self, engine: StepScorer, batch_tokens: int) -> None:
        self._engine, self._batch_tokens, self._gain = engine, batch_tokens, _Gain()

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        """See ``protocols.StepScorer``."""
        began = time.monotonic()
        found = self._engine.score(requests)
        seconds = time.monotonic() - began
        tokens = [steps[-1].prompt_tokens for steps in found]

        def again() -> tuple[int, Callable[[], object]]:
            if not tokens:
                return 0, list
            longest = max(range(len(tokens)), key=tokens.__getitem__)
            size = max(Counter(_question(item) for item in requests).values())
            copies = -(-self._batch_tokens // tokens[longest])
            repeated = [_variant(requests[longest], k // size, k % size) for k in range(copies)]
            return copies * tokens[longest], lambda: self._engine.score(repeated)

        self._gain.measure(seconds, sum(tokens), again)
        self._gain.count(seconds)
        return found


def _question(request: ScoreRequest) -> tuple[str, tuple[str, ...]]:
    """What candidates of one question share."""
    return request.question, tuple(ref.sha256 for ref in request.images)


def _variant(request: ScoreRequest, question: int, candidate: int) -> ScoreRequest:
    """The same length, another question and candidate: numbers of fixed width tell them apart."""
    return replace(
        request,
        id=f"{request.id}~{question}.{candidate}",
        question=f"{request.question}{question:04d}",
        steps=(*request.steps[:-1], f"{request.steps[-1]}{candidate:04d}"),
    )
