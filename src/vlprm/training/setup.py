"""A checkpoint made ready for training: what is trained, what is recomputed, what is compiled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlprm.config.deepspeed import zero_stage
from vlprm.config.training import EveryLayer, PRMTrainingConfig
from vlprm.determinism import cpu_mode
from vlprm.errors import UserError
from vlprm.training.collator import IGNORED
from vlprm.training.packed import NO_MASK
from vlprm.training.processes import introduce_alone

CUDA = Path("/opt/cuda")
"""Where an image keeps what DeepSpeed asks for at its import beside a GPU (``nvcc -V``)."""
_COMPILED_FORMS = 64
"""Compiled forms of one layer's code that torch may keep: all layers share the code."""


def settle_cuda_home() -> None:
    """Tell DeepSpeed where the CUDA toolkit is, unless the environment does.

    DeepSpeed 0.16.4 asks ``nvcc`` for its version when it is imported on a machine with a GPU
    (op_builder/builder.py), also where nothing is to be compiled; torch reads ``CUDA_HOME`` once.
    """
    if "CUDA_HOME" not in os.environ and CUDA.is_dir():
        os.environ["CUDA_HOME"] = str(CUDA)


def check_deepspeed(config: str | None) -> None:
    """Import DeepSpeed where it is configured.

    Raises UserError when its file is not right (``config.deepspeed``), and when DeepSpeed cannot be
    imported.
    """
    settle_cuda_home()
    if config is None:
        return
    zero_stage(Path(config))
    introduce_alone()
    try:
        import deepspeed  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except Exception as error:  # its op builders raise their own kinds when no CUDA is found
        raise UserError(
            f"DeepSpeed cannot be imported ({type(error).__name__}: {error})",
            where="training: deepspeed",
            cure="train in the GPU image; elsewhere set CUDA_HOME, or deepspeed: null",
        ) from error


def make_ready(model: Any, config: PRMTrainingConfig) -> None:
    """Freeze, recompute and compile as configured; return logits at labels alone."""
    model.model.visual.requires_grad_(config.tune_vision)
    _recompute(model, config)
    if config.compile:
        _compile(model)
    _logits_at_labels(model)


def _recompute(model: Any, config: PRMTrainingConfig) -> None:
    setting = config.gradient_checkpointing
    if setting is False:
        return
    layers = model.model.language_model.layers
    dropout = model.model.language_model.config.attention_dropout
    model.gradient_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": dropout > 0})
    every = setting.every if isinstance(setting, EveryLayer) else 1
    for number, layer in enumerate(layers):
        layer.gradient_checkpointing = number % every == 0
    if not config.tune_vision:  # a frozen tower keeps no activations
        for block in model.model.visual.blocks:
            block.gradient_checkpointing = False


def _compile(model: Any) -> None:
    """Compile each decoder layer for any length; attention stays what it is (``packed``).

    Raises UserError on a CPU in portable mode, whose products no compiler sees into.
    """
    if model.device.type == "cpu" and cpu_mode() == "portable":
        raise UserError(
            "a portable CPU run cannot be compiled",
            where="training: compile",
            cure="compile: false, or train on a GPU",
        )
    torch._dynamo.config.cache_size_limit = _COMPILED_FORMS
    for layer in model.model.language_model.layers:
        layer.compile(dynamic=True)


def _logits_at_labels(model: Any) -> None:
    """Give the model a forward that returns logits at label positions alone.

    As its own forward, so that the wrappers of several processes (DDP, DeepSpeed) see every call:
    one that goes around them leaves the gradients of each process to itself.
    """

    def forward(labels: Tensor, **inputs: Any) -> Tensor:
        if "cu_seqlens" in inputs:
            inputs["attention_mask"] = NO_MASK
        hidden = model.model(**inputs, use_cache=False).last_hidden_state
        logits: Tensor = model.lm_head(hidden[labels != IGNORED]).float()
        return logits

    model.forward = forward
