"""Engines: the models behind the protocols. Loaders import their module only when called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlprm.config.labels import JudgeConfig
from vlprm.config.models import ModelConfig
from vlprm.errors import UserError
from vlprm.protocols import Judge, Policy, StepScorer

if TYPE_CHECKING:
    from vlprm.io.images import ImageStore


def load_policy(model: ModelConfig, model_dir: Path, store: ImageStore) -> Policy:
    """The policy a model's configuration names."""
    if model.engine == "vllm":
        from vlprm.engines.vllm_policy import VLLMPolicy

        return VLLMPolicy(model_dir, store, model)
    from vlprm.engines.hf_policy import HFPolicy

    return HFPolicy(
        model_dir,
        store,
        pixels=model.pixels,
        dtype=model.dtype,
        device=device_of(model),
        batch_tokens=model.batch_tokens,
    )


def load_scorer(model: ModelConfig, model_dir: Path, store: ImageStore) -> StepScorer:
    """The PRM (or judging VLM) that reads value tokens off a model."""
    from vlprm.engines.hf_prm import HFScorer

    return HFScorer(
        model_dir,
        store,
        pixels=model.pixels,
        dtype=model.dtype,
        device=device_of(model),
        batch_tokens=model.batch_tokens,
    )


def load_judge(judge: JudgeConfig, store: ImageStore) -> Judge:
    """The judge a configuration names."""
    from vlprm.engines.judges import ChatJudge, TruthJudge

    if judge.engine == "truth":
        return TruthJudge()
    return ChatJudge(judge, store)


def device_of(model: ModelConfig) -> str:
    """``cuda`` for a model that asks for GPUs.

    Raises UserError when there is none.
    """
    if model.gpus == 0:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            f"the model asks for {model.gpus} GPU(s), this machine shows none",
            where="models.*.gpus",
            cure="run it on a GPU node, or set gpus: 0",
        )
    return "cuda"
