"""A PRM over transformers: every step of a candidate in one forward, the question only once.

Earlier steps are answered ``+`` (teacher-forced, as published); causality makes the logits of
all read-out positions equal to one forward a step. The common prefix of a question's candidates
(system, image, question) is run once. On a CPU rows are padded (``padded_prm``), on GPUs packed
(``packed_prm``); value logits are float32 products of the last hidden states in both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from vlprm.config.models import ModelConfig
from vlprm.config.placement import Placement
from vlprm.config.scoring_memory import batch_bound, scoring_tokens
from vlprm.engines.candidates import by_question, key_of
from vlprm.engines.cards import devices_of, room
from vlprm.engines.packed_prm import PackedScorer
from vlprm.engines.padded_prm import PaddedScorer
from vlprm.errors import UserError
from vlprm.families import FAMILIES
from vlprm.families.conversations import ConversationTokens
from vlprm.families.family import Images
from vlprm.families.qwen25vl import attention, elementwise
from vlprm.families.qwen25vl.decoder import Decoder
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.model import batch_vision, head_widths, load_model, read_model
from vlprm.families.qwen25vl.packed import PackedDecoder, Work
from vlprm.protocols import ScoreRequest, StepLogits

SWITCH = "VLPRM_SCORER"
"""Environment variable: ``padded`` or ``packed`` instead of what the device asks for."""
LEAST_TOKENS = 1024
"""A card with room for fewer tokens is refused at the start."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How to run, for measurements and tests; None leaves it to device and environment."""

    packed: bool | None = None
    elementwise: str | None = None
    devices: tuple[str, ...] | None = None
    """Devices in place of the placement's, repeats allowed."""


@dataclass(frozen=True, slots=True)
class _Text:
    """``scoring_memory.TextTower`` of a loaded model."""

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int


class HFScorer:
    """``protocols.StepScorer`` over a Qwen2.5-VL checkpoint, on the CPU or on one or more GPUs."""

    def __init__(
        self,
        model_dir: Path,
        store: Images,
        model: ModelConfig,
        placement: Placement,
        variant: Variant | None = None,
    ) -> None:
        """Raises UserError before weights are read for a tokenizer without value tokens and absent
        cards, after that for a shape that does not split over the cards and too little memory."""
        how = variant or Variant()
        family = FAMILIES[model.family]
        assert family.prm is not None  # the configuration asks for nothing else
        self._inputs = QwenInputs(family, model_dir, store, model.pixels)
        self._tokens = ConversationTokens(family.prm, self._inputs)
        devices = devices_of(placement)
        if how.devices is not None:
            devices = tuple(torch.device(name) for name in how.devices)
        self._engine: PackedScorer | PaddedScorer
        if _packed(how, devices):
            self._engine = self._pack(model_dir, model, devices, placement.memory, how)
        else:
            loaded = load_model(model_dir, dtype=model.dtype, device=str(devices[0]))
            self._engine = PaddedScorer(
                Decoder(loaded), self._inputs, self._tokens, model.batch_tokens
            )

    @property
    def work(self) -> Work | None:
        """What all calls so far cost; None where it is not counted (CPU)."""
        return self._engine.work if isinstance(self._engine, PackedScorer) else None

    @torch.inference_mode()
    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[StepLogits, ...]]:
        """See ``protocols.StepScorer``. Requests of one question share their prefix."""
        found = self._engine.score(by_question(requests))
        return [found[key_of(request)] for request in requests]

    @torch.inference_mode()
    def _pack(
        self,
        model_dir: Path,
        config: ModelConfig,
        devices: tuple[torch.device, ...],
        share: float,
        how: Variant,
    ) -> PackedScorer:
        on_cards = devices[0].type == "cuda"
        others = [torch.cuda.memory_allocated(item) if on_cards else 0 for item in devices]
        model = read_model(model_dir, dtype=config.dtype)
        used = attention.choose(devices[0], getattr(torch, config.dtype), head_widths(model))
        batch_vision(model, used)
        rows: Tensor = model.lm_head.weight[list(self._tokens.values)].to(devices[0])
        text = _text(model)
        decoder = PackedDecoder(
            model, devices, used, elementwise.choose(devices[0], how.elementwise)
        )
        most = sys.maxsize
        if on_cards:
            width = rows.element_size()
            rooms = zip(devices, others, strict=True)
            left = min(room(device, share, before) for device, before in rooms)
            most = scoring_tokens(text, left, cards=len(devices), width=width)
            if most < LEAST_TOKENS:
                raise UserError(
                    f"{left / 1e9:.1f} GB of a card are left beside the weights: room for"
                    f" {most:,} tokens, a conversation may have {LEAST_TOKENS:,} and more",
                    where=str(model_dir),
                    cure="give the model more cards (gpus), or a larger share of one",
                )
        return PackedScorer(
            decoder,
            self._inputs,
            self._tokens,
            rows,
            batch_tokens=batch_bound(config.batch_tokens, most),
            most_tokens=most,
        )


def _packed(how: Variant, devices: Sequence[torch.device]) -> bool:
    if how.packed is not None:
        return how.packed
    said = os.environ.get(SWITCH) or ""
    if said not in ("", "padded", "packed"):
        raise UserError(
            f"{said!r} is no way to score",
            where=f"environment variable {SWITCH}",
            cure="padded or packed",
        )
    if said == "padded" and len(devices) > 1:
        raise UserError(
            f"the padded scorer runs on one device, the model has {len(devices)}",
            where=f"environment variable {SWITCH}",
            cure="unset it",
        )
    return said == "packed" if said else devices[0].type == "cuda"


def _text(model: Qwen2_5_VLForConditionalGeneration) -> _Text:
    config: Any = model.config.text_config
    heads = int(config.num_attention_heads)
    return _Text(
        int(config.hidden_size),
        heads,
        int(config.num_key_value_heads),
        int(config.hidden_size) // heads,
        int(config.intermediate_size),
    )
