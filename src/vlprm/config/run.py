"""The configuration: one frozen tree, checked as a whole before the first job.

Every rule gets only its own slice (``config.slices``); a misspelt key, a wrong type or a name
that is defined nowhere stops the run with the path of the key.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from vlprm.config.base_model import BaseModelConfig
from vlprm.config.benchmarks import GradingConfig
from vlprm.config.block import Block
from vlprm.config.data import DataConfig, SourceConfig
from vlprm.config.evaluation import EvaluationConfig, GuidedConfig, MetricsConfig, TablesConfig
from vlprm.config.labels import EstimateConfig, ExamplesConfig, JudgeConfig, LabelRule
from vlprm.config.models import ModelConfig, PolicyConfig, PRMConfig, Role
from vlprm.config.rehearsal import Rehearsal
from vlprm.config.training import PRMTrainingConfig
from vlprm.errors import UserError

__all__ = ["Config", "load_config"]


class LabelFactory(Block):
    """From rollouts of the sources to training conversations."""

    policy: str = Field(description="the policy whose rollouts are labelled")
    estimates: EstimateConfig
    judge: JudgeConfig
    rule: LabelRule
    examples: ExamplesConfig


class Evaluation(Block):
    """Test-time scaling: which policies and PRMs meet on which benchmarks, and how."""

    policies: tuple[str, ...]
    prms: tuple[str, ...]
    benchmarks: tuple[str, ...]
    guided_benchmarks: tuple[str, ...]
    step_truth: bool = Field(description="judge the candidates too, for step and first-error F1")
    llm_judge: str | None = Field(description="the model that ranks whole solutions, if any")
    ranking: EvaluationConfig
    guided: GuidedConfig


class BenchmarkData(Block):
    """A benchmark's questions and the version of its scorer."""

    data: DataConfig = Field(discriminator="kind")
    scorer_version: int = Field(ge=1)
    grading: GradingConfig = GradingConfig()


class CardsConfig(Block):
    """The GPUs that jobs get, for checks before the first job; no slice holds it."""

    memory_gb: float = Field(
        default=80, gt=0, description="of one card, as it is sold; asked of the driver where it can"
    )


class Config(Block):
    """One run of the whole pipeline."""

    run: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="name; results/<run>/")
    seed: int
    cards: CardsConfig = CardsConfig()
    models: dict[str, ModelConfig]
    base_models: dict[str, BaseModelConfig]
    policies: dict[str, PolicyConfig]
    sources: dict[str, SourceConfig]
    labels: LabelFactory
    training: dict[str, PRMTrainingConfig]
    prms: dict[str, PRMConfig]
    benchmarks: dict[str, BenchmarkData]
    evaluation: Evaluation
    metrics: MetricsConfig
    tables: TablesConfig
    rehearsal: Rehearsal | None = Field(default=None, description="written by `vlprm rehearse`")

    @model_validator(mode="after")
    def _names_are_defined(self) -> Self:
        wanted: list[tuple[str, str, Mapping[str, object]]] = [
            ("labels.policy", self.labels.policy, self.policies),
            *(("evaluation.policies", name, self.policies) for name in self.evaluation.policies),
            *(("evaluation.prms", name, self.prms) for name in self.evaluation.prms),
            *((f"policies.{k}.model", v.model, self.models) for k, v in self.policies.items()),
            *((f"prms.{k}.base", v.base, self.models) for k, v in self.prms.items()),
            *(
                (f"prms.{k}.training", v.training, self.training)
                for k, v in self.prms.items()
                if v.training is not None
            ),
        ]
        for key in ("benchmarks", "guided_benchmarks"):
            names = getattr(self.evaluation, key)
            wanted += [(f"evaluation.{key}", name, self.benchmarks) for name in names]
        if self.evaluation.llm_judge is not None:
            wanted.append(("evaluation.llm_judge", self.evaluation.llm_judge, self.models))
        wanted += [
            (f"models.{name} (source: build)", name, self.base_models)
            for name, model in self.models.items()
            if model.source == "build"
        ]
        for where, name, table in wanted:
            if name not in table:
                raise ValueError(f"{where}: {name!r} is not one of {sorted(table)}")
        both = set(self.sources) & set(self.benchmarks)
        if both:
            raise ValueError(f"{sorted(both)} name both a source and a benchmark")
        return self

    @model_validator(mode="after")
    def _roles_have_engines(self) -> Self:
        asked: list[tuple[str, str, Role]] = [
            *((f"policies.{k}.model", v.model, "policy") for k, v in self.policies.items()),
            *((f"prms.{k}.base", v.base, "scorer") for k, v in self.prms.items()),
        ]
        if self.evaluation.llm_judge is not None:
            asked.append(("evaluation.llm_judge", self.evaluation.llm_judge, "scorer"))
        for where, name, role in asked:
            if getattr(self.models[name].engines, role) is None:
                raise ValueError(
                    f"{where}: {name} is used as a {role}, and models.{name}.engines names none; "
                    f"add {role}: transformers" + (" or vllm" if role == "policy" else "")
                )
        share = self.evaluation.guided.placement.share
        unknown = [] if isinstance(share, bool) else sorted(set(share) - set(self.policies))
        if unknown:
            raise ValueError(
                f"evaluation.guided.placement.share: {unknown} are not one of"
                f" {sorted(self.policies)}"
            )
        return self


def load_config(data: Mapping[str, Any], where: str) -> Config:
    """Check a configuration; ``where`` names its file in the message.

    Raises UserError that lists every wrong key with its path and, for a misspelt one, the key
    that was probably meant.
    """
    try:
        return Config.model_validate(dict(data))
    except ValidationError as error:
        lines = [_explain(dict(item)) for item in error.errors()]
        raise UserError(
            f"{len(lines)} wrong in the configuration\n" + "\n".join(f"  {line}" for line in lines),
            where=where,
            cure="correct the keys named above",
        ) from error


def _explain(item: Mapping[str, Any]) -> str:
    path = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        known = _all_keys()
        close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{path}: unknown key{hint}"
    if item["type"] == "missing":
        return f"{path}: missing"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def _all_keys() -> list[str]:
    """Every key of the schema: enough to guess what a misspelt key meant."""
    schema = Config.model_json_schema()
    blocks = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for block in blocks for key in block.get("properties", {})})
