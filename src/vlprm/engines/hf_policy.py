"""A policy over transformers: large batches of equal prompts, one prefill a prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlprm.config.models import ModelConfig
from vlprm.config.placement import Placement
from vlprm.engines.cards import devices_of
from vlprm.engines.failures import EngineDiedError
from vlprm.engines.sampling import draw, uniforms
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.architectures import ARCHITECTURES
from vlprm.families.family import Images
from vlprm.protocols import Completion, GenerationRequest
from vlprm.records import ImageRef, Sampling

KEEP = 0.75
"""Rows are compacted when fewer than this share still runs."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    place: int
    request: GenerationRequest
    ids: tuple[int, ...]
    images: tuple[ImageRef, ...]


@dataclass(slots=True)
class _Row:
    """One running completion."""

    owner: int
    number: int
    stop: tuple[bytes, ...]
    text: bytearray = field(default_factory=bytearray)
    tokens: int = 0


class HFPolicy:
    """``protocols.Policy`` over a checkpoint of a known architecture, on the CPU or one GPU."""

    def __init__(
        self, model_dir: Path, store: Images, model: ModelConfig, placement: Placement
    ) -> None:
        """Raises UserError for an absent card, and a folder that is no such checkpoint."""
        family = FAMILIES[model.family]
        architecture = ARCHITECTURES[family.architecture]
        device = devices_of(placement)[0]
        self._inputs = architecture.inputs(family, model_dir, store, model.pixels)
        self._decoder = architecture.decoder(model_dir, model.dtype, str(device))
        self._batch_tokens = model.batch_tokens
        vocabulary = self._decoder.head.weight.shape[0]
        control = self._inputs.control(vocabulary)
        self._ends, self._pieces = control.ends, self._inputs.pieces
        barred = torch.zeros(vocabulary, dtype=torch.bool)
        barred[list(control.barred)] = True
        self._barred = barred.to(self._decoder.device)

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[GenerationRequest], sampling: Sampling
    ) -> list[tuple[Completion, ...]]:
        """See ``protocols.Policy``."""
        found: dict[int, tuple[Completion, ...]] = {}
        groups: dict[tuple[object, ...], list[_Prompt]] = defaultdict(list)
        for place, request in enumerate(requests):
            try:
                prompt = self._prompt(place, request)
            except (UserError, OSError) as error:
                failed = Completion("", "error", None, 0, 0, error=str(error))
                found[place] = tuple(failed for _ in request.seeds)
                continue
            sizes = tuple(self._inputs.size(ref) for ref in prompt.images)
            groups[(len(prompt.ids), sizes, len(request.seeds))].append(prompt)
        for (length, _, samples), prompts in groups.items():
            room = int(str(length)) + sampling.max_tokens
            size = max(1, self._batch_tokens // (room * max(1, int(str(samples)))))
            for start in range(0, len(prompts), size):
                part = prompts[start : start + size]
                try:
                    found |= self._batch(part, sampling)
                except RuntimeError as error:
                    if "CUDA" not in str(error):
                        raise
                    held = [r.id for place, r in enumerate(requests) if place not in found]
                    raise EngineDiedError("transformers", error, held) from error
        return [found[place] for place in range(len(requests))]

    def _prompt(self, place: int, request: GenerationRequest) -> _Prompt:
        ids = self._inputs.ids(self._inputs.chat(request.messages, request.prefix))
        images = tuple(ref for message in request.messages for ref in message.images)
        self._inputs.patches(images)  # an unreadable image fails its own request only
        return _Prompt(place, request, tuple(ids), images)

    def _batch(
        self, prompts: Sequence[_Prompt], sampling: Sampling
    ) -> dict[int, tuple[Completion, ...]]:
        decoder = self._decoder
        ids = torch.tensor([prompt.ids for prompt in prompts], device=decoder.device)
        patches = self._inputs.patches([ref for prompt in prompts for ref in prompt.images])
        last, delta, cache = decoder.prefill(ids, patches)
        rows = [
            _Row(owner, number, tuple(text.encode() for text in prompt.request.stop))
            for owner, prompt in enumerate(prompts)
            for number in range(len(prompt.request.seeds))
        ]
        done: dict[tuple[int, int], Completion] = {}
        if rows:
            owners = torch.tensor([row.owner for row in rows], device=decoder.device)
            cache = cache.rows(owners, ids.shape[1] + sampling.max_tokens)
            seeds = [seed for prompt in prompts for seed in prompt.request.seeds]
            chances = uniforms(seeds, sampling.max_tokens)
            seen = self._seen(ids, sampling)
            self._decode(
                rows, last[owners], delta[owners], cache, chances, sampling,
                None if seen is None else seen[owners], done,
            )  # fmt: skip
        length = ids.shape[1]
        return {
            prompt.place: tuple(
                _with_prompt(done[owner, number], length)
                for number in range(len(prompt.request.seeds))
            )
            for owner, prompt in enumerate(prompts)
        }

    def _seen(self, ids: Tensor, sampling: Sampling) -> Tensor | None:
        if sampling.repetition_penalty == 1.0:
            return None
        seen = torch.zeros(len(ids), len(self._barred), dtype=torch.bool, device=ids.device)
        return seen.scatter_(1, ids, True)

    def _decode(
        self,
        rows: list[_Row],
        hidden: Tensor,
        delta: Tensor,
        cache: Any,
        chances: Tensor,
        sampling: Sampling,
        seen: Tensor | None,
        done: dict[tuple[int, int], Completion],
    ) -> None:
        """Draw tokens until every row has ended; finished rows leave the batch."""
        decoder = self._decoder
        live: list[_Row | None] = list(rows)
        for step in range(sampling.max_tokens):
            logits = decoder.head(hidden).masked_fill(self._barred, -torch.inf)
            drawn = draw(logits, chances[:, step], sampling, seen)
            if seen is not None:
                seen.scatter_(1, drawn[:, None], True)
            for place, token in enumerate(drawn.tolist()):
                row = live[place]
                if row is not None:
                    ended = self._push(row, token, step + 1 == sampling.max_tokens)
                    if ended is not None:
                        done[row.owner, row.number] = ended
                        live[place] = None
            running = [place for place, row in enumerate(live) if row is not None]
            if not running:
                return
            if len(running) < KEEP * len(live):
                index = torch.tensor(running, device=decoder.device)
                live = [live[place] for place in running]
                cache, delta, drawn = cache.rows(index), delta[index], drawn[index]
                chances = chances[index.cpu()]
                seen = None if seen is None else seen[index]
            hidden = decoder.step(drawn, delta, cache)

    def _push(self, row: _Row, token: int, last: bool) -> Completion | None:
        """Add a token; the completion if the row has ended."""
        row.tokens += 1
        if token in self._ends:
            return _completion(row, len(row.text), "stop", None)
        row.text += self._pieces[token]
        for stop in row.stop:
            start = max(0, len(row.text) - len(self._pieces[token]) - len(stop))
            at = row.text.find(stop, start)
            if at >= 0:
                return _completion(row, at + len(stop), "stop", stop.decode())
        return _completion(row, len(row.text), "length", None) if last else None


def _completion(row: _Row, length: int, reason: str, stopped_by: str | None) -> Completion:
    text = bytes(row.text[:length]).decode("utf-8", errors="replace")
    return Completion(
        text=text,
        finish_reason="stop" if reason == "stop" else "length",
        stopped_by=stopped_by,
        prompt_tokens=0,
        completion_tokens=row.tokens,
    )


def _with_prompt(completion: Completion, prompt_tokens: int) -> Completion:
    return Completion(
        completion.text,
        completion.finish_reason,
        completion.stopped_by,
        prompt_tokens,
        completion.completion_tokens,
        completion.error,
    )
