"""Engines whose replies are recorded: what stages ask (:mod:`vlprm.protocols` over a ledger).

The engine behind one is loaded when the first reply is missing. A call's key digests what the
engine is (configuration, weights, packages, platform), how it is asked, and all requests, without
their names. The image pack is looked at for every request, so that a foreign one is refused where
all replies are in the ledger, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from vlprm.config.access import Access
from vlprm.config.labels import JudgeConfig
from vlprm.config.slices.engines import EngineSlice
from vlprm.engines import load_judge, load_policy, load_scorer
from vlprm.io.images import ImageStore
from vlprm.io.machine import platform_of
from vlprm.io.manifest import versions
from vlprm.ledger.book import Book, loaded, refuse_all_failed
from vlprm.ledger.file import KEY_BYTES
from vlprm.protocols import (
    Completion,
    GenerationRequest,
    JudgeReply,
    JudgeRequest,
    ScoreRequest,
    StepLogits,
    all_failed,
)
from vlprm.records import ImageRef, Sampling

E = TypeVar("E")
Role = Literal["policy", "scorer", "judge"]
ENGINES: dict[Role, int] = {"policy": 1, "scorer": 1, "judge": 1}
"""Raised when an engine of this role answers the same request otherwise: old replies are left."""

_DRAWS = TypeAdapter(list[GenerationRequest])
_COMPLETIONS = TypeAdapter(list[tuple[Completion, ...]])
_CANDIDATES = TypeAdapter(list[ScoreRequest])
_LOGITS = TypeAdapter(list[tuple[StepLogits, ...]])
_QUESTION = TypeAdapter(JudgeRequest)
_REPLY = TypeAdapter(JudgeReply)


class RecordedPolicy:
    """``protocols.Policy``; one call is one entry of the ledger.

    ``weights``: the file that stands for the checkpoint, ``digest`` its sha256; ``images``: the
    pack of the questions' images.
    """

    def __init__(
        self, book: Book, engine: EngineSlice, weights: Path, digest: str, images: Path
    ) -> None:
        self._book, self._engine = book, _engine("policy", engine, digest)
        self._store = store = ImageStore(images)
        self.started = _once(
            lambda: load_policy(engine.model, weights.parent, store, engine.placement)
        )
        """The engine itself, loaded if it was not."""
        self._errors: list[str | None] = []
        self._batch = 0

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        """See ``protocols.Policy``. Without requests nothing is asked.

        Raises UserError when every one of many requests failed: the engine is down.
        """
        if not requests:
            return []
        self._store.require(_shown(requests))
        asked = _DRAWS.dump_python(list(requests), mode="json", exclude={"__all__": {"id"}})
        key = _digest(self._engine, sampling.model_dump(mode="json"), asked)

        if self._batch != self._book.batch:
            self._batch, self._errors = self._book.batch, []

        def ask() -> list[tuple[Completion, ...]]:
            found = self.started().generate(requests, sampling)
            # over all calls of a batch: the last may well hold nothing but what cannot be drawn
            refuse_all_failed([*self._errors, *map(all_failed, found)])
            return found

        names = [item.id for item in requests]
        found = self._book.replies(key, _COMPLETIONS, names, self.started, ask)
        self._errors += map(all_failed, found)
        return found


class RecordedScorer:
    """``protocols.StepScorer``; one call is one entry of the ledger.

    Arguments as for :class:`RecordedPolicy`; ``after``: a policy that is to stand first (vLLM
    measures what is free on a card while it alone allocates there).
    """

    def __init__(
        self,
        book: Book,
        engine: EngineSlice,
        weights: Path,
        digest: str,
        images: Path,
        *,
        after: RecordedPolicy | None = None,
    ) -> None:
        self._book, self._engine = book, _engine("scorer", engine, digest)
        self._store = store = ImageStore(images)
        self._started = _once(
            lambda: load_scorer(engine.model, weights.parent, store, engine.placement),
            after.started if after else None,
        )

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        """See ``protocols.StepScorer``. Without requests nothing is asked."""
        if not requests:
            return []
        self._store.require(ref for item in requests for ref in item.images)
        asked = _CANDIDATES.dump_python(list(requests), mode="json", exclude={"__all__": {"id"}})
        key = _digest(self._engine, asked)
        names = [item.id for item in requests]
        return self._book.replies(
            key, _LOGITS, names, self._started, lambda: self._started().score(requests)
        )


class RecordedJudge:
    """``protocols.Judge`` of paid or remote calls: one request is one entry, kept as it comes.

    With ``errors: final`` a request that failed is answered so, instead of staying open. The
    generator's truth is no model and costs nothing: what it says is not recorded.
    """

    def __init__(
        self,
        book: Book,
        config: JudgeConfig,
        images: Path,
        access: Access | None = None,
        *,
        yes: bool = False,
    ) -> None:
        self._book, self._kept = book, config.engine == "api"
        self._config = config
        self._final_errors = config.errors == "final"
        self._store = store = ImageStore(images)
        self._started = _once(lambda: load_judge(config, store, access, yes=yes))
        self.usage: dict[bytes, tuple[int, int]] = {}
        """Tokens of prompt and reply of the replies that were handed on, where they are known."""

    def judge(
        self, requests: Sequence[JudgeRequest], attempt: int = 0
    ) -> Iterator[tuple[int, JudgeReply]]:
        """See ``protocols.Judge``; replies of open requests are left out.

        Requests of equal content are one question: it is asked once in every ``attempt``.
        """
        self._store.require(_shown(requests))
        if not self._kept:
            yield from self._started().judge(requests)
            return
        places: dict[bytes, list[int]] = {}
        for place, request in enumerate(requests):
            places.setdefault(judge_key(self._config, request, attempt), []).append(place)
        missing = []
        for key, known in ((key, self._book.known(key, _REPLY)) for key in places):
            if known is None:
                missing.append(key)
            else:
                self._count(key, known)
                yield from ((place, known) for place in places[key])
        if missing:
            for key, reply in self._asked({key: requests[places[key][0]] for key in missing}):
                self._count(key, reply)
                yield from ((place, reply) for place in places[key])

    def _count(self, key: bytes, reply: JudgeReply) -> None:
        if reply.usage is not None:
            self.usage[key] = reply.usage

    def _asked(self, asked: dict[bytes, JudgeRequest]) -> Iterator[tuple[bytes, JudgeReply]]:
        keys, requests = list(asked), list(asked.values())
        failed: list[tuple[int, JudgeReply]] = []
        call = _digest(*(key.hex() for key in keys))
        with self._book.asking(call, [item.id for item in requests], self._started):
            for number, reply in self._started().judge(requests):
                if reply.status == "error":
                    failed.append((number, reply))
                    continue
                self._book.record(keys[number], _REPLY, reply)
                yield keys[number], reply
            errors = [reply.error or "error" for _, reply in failed]
            refuse_all_failed(errors + [None] * (len(requests) - len(failed)))
        for number, reply in failed:
            if self._final_errors:
                yield keys[number], reply
            else:
                self._book.leave_open(requests[number].id, reply.error or "error")


def judge_key(config: JudgeConfig, request: JudgeRequest, attempt: int = 0) -> bytes:
    """A judge's request in the ledger: what is asked, of which model, with which settings, and for
    which time where the reply to an earlier one could not be read."""
    facts = config.model_dump(include={"model", "base_url", "max_tokens", "temperature"})
    asked = _QUESTION.dump_python(request, mode="json", include={"messages"})
    return _digest("judge", ENGINES["judge"], facts, asked, *([attempt] if attempt else []))


def _shown(requests: Iterable[GenerationRequest | JudgeRequest]) -> Iterator[ImageRef]:
    return (ref for item in requests for said in item.messages for ref in said.images)


def _once(load: Callable[[], E], before: Callable[[], object] | None = None) -> Callable[[], E]:
    """An engine that is loaded when it is first asked for, after what stands ``before`` it."""

    @cache
    def started() -> E:
        if before is not None:
            before()
        return loaded(load)

    return started


def _engine(role: Role, engine: EngineSlice, digest: str) -> str:
    """Digest of an engine on this machine, by its configuration and the sha256 of its weights."""
    platform = platform_of(len(engine.placement.devices)).name
    model = engine.model.model_dump(mode="json")
    return _digest(role, ENGINES[role], model, digest, versions(), platform).hex()


def _digest(*facts: Any) -> bytes:
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()[:KEY_BYTES]
