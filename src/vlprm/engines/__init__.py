"""Engines: the models behind the protocols. Loaders import their module only when called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vlprm.config.access import Access
from vlprm.config.labels import JudgeConfig
from vlprm.config.models import ModelConfig
from vlprm.config.placement import Placement
from vlprm.engines import rehearsed
from vlprm.engines.readiness import check_ready
from vlprm.errors import UserError
from vlprm.protocols import Judge, Policy, StepScorer

if TYPE_CHECKING:
    from vlprm.io.images import ImageStore


@rehearsed.policy
def load_policy(
    model: ModelConfig, model_dir: Path, store: ImageStore, placement: Placement
) -> Policy:
    """The policy a model's configuration names, on the cards of ``placement``.

    Raises UserError for a checkpoint of another family and cards that cannot hold it
    (``readiness.check_ready``), or when there are several and the engine runs on one.
    """
    if model.engines.policy != "vllm" and len(placement.devices) > 1:
        raise UserError(
            f"the policy is given cards {list(placement.devices)}, and the transformers engine"
            " draws on one",
            where="models.*.gpus",
            cure="set gpus: 1, or engines: {policy: vllm}",
        )
    check_ready(model, model_dir, placement, "policy")
    if model.engines.policy == "vllm":
        from vlprm.engines.vllm_policy import VLLMPolicy

        return VLLMPolicy(model_dir, store, model, placement)
    from vlprm.engines.hf_policy import HFPolicy

    return HFPolicy(model_dir, store, model, placement)


@rehearsed.scorer
def load_scorer(
    model: ModelConfig, model_dir: Path, store: ImageStore, placement: Placement
) -> StepScorer:
    """The PRM (or judging VLM) that reads value tokens off a model, on ``placement``'s cards.

    Raises UserError for a checkpoint of another family and cards that cannot hold it
    (``readiness.check_ready``).
    """
    check_ready(model, model_dir, placement, "scorer")
    from vlprm.engines.hf_prm import HFScorer

    return HFScorer(model_dir, store, model, placement)


@rehearsed.ready
def load_judge(
    judge: JudgeConfig, store: ImageStore, access: Access | None = None, *, yes: bool = False
) -> Judge:
    """The judge a configuration names; ``yes``: somebody has agreed to what it costs."""
    if judge.engine == "truth":
        from vlprm.sources.truth import TruthJudge

        return TruthJudge()
    from vlprm.engines.judges import ChatJudge

    return ChatJudge(judge, store, access, yes=yes)
