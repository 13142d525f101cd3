"""The configuration: one frozen tree, checked as a whole before the first job.

Every rule gets only its own slice (``config.slices``); ``config.checked`` says all that is wrong.
"""

from __future__ import annotations

from pydantic import Field

from vlprm.config.access import Price
from vlprm.config.base_model import BaseModelConfig
from vlprm.config.benchmarks import GradingConfig
from vlprm.config.block import Block
from vlprm.config.data import DataConfig, SourceConfig
from vlprm.config.evaluation import (
    EvaluationConfig,
    MetricsConfig,
    SearchPlacement,
    TablesConfig,
)
from vlprm.config.labels import LabelFactory
from vlprm.config.leaks import LeakCheck
from vlprm.config.models import ModelConfig, PolicyConfig, PRMConfig
from vlprm.config.named import (
    BenchmarkName,
    ModelName,
    Name,
    PolicyName,
    PRMName,
    SearchName,
    Some,
    Text,
)
from vlprm.config.rehearsal import Rehearsal
from vlprm.config.training import PRMTrainingConfig
from vlprm.search.keep import Search


class Evaluation(Block):
    """Test-time scaling: which policies and PRMs meet on which benchmarks, and how."""

    policies: Some[PolicyName]
    prms: Some[PRMName]
    benchmarks: Some[BenchmarkName]
    searches: dict[SearchName, Some[BenchmarkName]] = Field(
        description="searches that run, each with its benchmarks; every policy meets every PRM"
    )
    step_truth: bool = Field(description="judge the candidates too, for step and first-error F1")
    llm_judge: ModelName | None = Field(description="the model that ranks whole solutions, if any")
    ranking: EvaluationConfig
    replicates: dict[Name, Some[PRMName]] = Field(
        default={},
        description="name to PRMs whose trainings differ in their seed alone, shown as one PRM"
        " whose interval holds questions and trainings",
    )
    placement: SearchPlacement = Field(
        default=SearchPlacement(), description="of the models of a search"
    )

    def on(self, benchmark: str) -> list[str]:
        """The searches that run on a benchmark."""
        return [name for name, benchmarks in self.searches.items() if benchmark in benchmarks]


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
    seed: int = Field(ge=0)
    cards: CardsConfig = CardsConfig()
    models: dict[Name, ModelConfig]
    base_models: dict[Name, BaseModelConfig]
    policies: dict[Name, PolicyConfig]
    sources: dict[Name, SourceConfig]
    labels: LabelFactory
    training: dict[Name, PRMTrainingConfig]
    prms: dict[Name, PRMConfig]
    benchmarks: dict[Name, BenchmarkData]
    searches: dict[Name, Search]
    evaluation: Evaluation
    metrics: MetricsConfig
    tables: TablesConfig
    prices: dict[Text, Price] | None = Field(
        default=None, description="of the models of api judges; null: their calls are not priced"
    )
    leaks: LeakCheck | None = Field(
        default=None,
        description="benchmarks' questions and images among the sources; null: not asked",
    )
    rehearsal: Rehearsal | None = Field(default=None, description="written by `vlprm rehearse`")

    @property
    def data(self) -> dict[str, DataConfig]:
        """Every data set by name, sources and benchmarks alike."""
        sources = {name: source.data for name, source in self.sources.items()}
        return sources | {name: item.data for name, item in self.benchmarks.items()}

    def widths(self, benchmark: str) -> dict[str, int]:
        """The searches of a benchmark, with the N that stands in their rows."""
        return {name: self.searches[name].width for name in self.evaluation.on(benchmark)}

    def shown_to(self, prm: str, policy: str) -> str:
        """The prompt by which a PRM is shown the questions of a policy that is evaluated."""
        asked = {
            "trained": self.policies[self.labels.policy].user_prompt,
            "policy": self.policies[policy].user_prompt,
        }
        chosen = self.prms[prm].question_prompt
        return asked.get(chosen, chosen)
