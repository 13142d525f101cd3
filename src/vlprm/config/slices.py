"""Slices: what one rule gets of the configuration, and nothing else.

A slice travels as one JSON argument, so it is part of the rule's params: a change in another
block leaves the rule alone, a change in its own reruns it. Parsing it back checks it again.
"""

from __future__ import annotations

from pydantic import Field

from vlprm.config.base_model import BaseModelConfig
from vlprm.config.benchmarks import GradingConfig
from vlprm.config.block import Block
from vlprm.config.data import DataConfig
from vlprm.config.evaluation import EvaluationConfig, GuidedConfig, MetricsConfig, TablesConfig
from vlprm.config.labels import EstimateConfig, ExamplesConfig, JudgeConfig, LabelRule
from vlprm.config.models import Engines, ModelConfig, PolicyConfig, Role
from vlprm.config.placement import CPU, Placement
from vlprm.config.run import Config
from vlprm.config.training import PRMTrainingConfig


class PrepareSlice(Block):
    """One shard of a data set: rows ``start`` to ``stop - 1``."""

    dataset: str
    data: DataConfig
    start: int
    stop: int
    rows_sha256: str | None
    """Digest of the shard's raw rows: a row added elsewhere does not rerun this shard."""


class PublishedSlice(Block):
    """Published rollouts and verdicts of one source."""

    dataset: str
    kind: str
    n: int


class EngineSlice(Block):
    """How to run a model; the scientific part only (weights enter as input files).

    The placement is no part of what is written: a job gets it as an argument of its own, so that
    other cards rerun nothing.
    """

    name: str
    model: ModelConfig
    placement: Placement = Field(default=CPU, exclude=True)

    def on(self, placement: Placement) -> EngineSlice:
        """The same on these cards."""
        model = self.model.model_copy(update={"gpus": len(placement.devices)})
        return self.model_copy(update={"model": model, "placement": placement})


class RolloutSlice(Block):
    """Draw ``n`` solutions of every question of a shard."""

    seed: int
    policy_name: str
    policy: PolicyConfig
    engine: EngineSlice
    n: int


class EstimateSlice(Block):
    """Continue every step prefix ``k`` times."""

    seed: int
    policy_name: str
    policy: PolicyConfig
    engine: EngineSlice
    estimates: EstimateConfig


class JudgeSlice(Block):
    """Ask a judge for the first wrong step."""

    judge: JudgeConfig


class LabelSlice(Block):
    """Turn estimates and verdicts into labels."""

    rule: LabelRule
    min_graded: int


class ExamplesSlice(Block):
    """Turn labels into training conversations."""

    seed: int
    examples: ExamplesConfig
    user_prompt: str


class TrainSlice(Block):
    """Train one PRM."""

    training: PRMTrainingConfig
    base: EngineSlice


class ScoreSlice(Block):
    """Score candidates with a PRM, step by step and as whole solutions."""

    system_prompt: str
    user_prompt: str
    engine: EngineSlice


class RankSlice(Block):
    """Ask a plain VLM which solutions are right (LLM-as-judge selection)."""

    system_prompt: str
    user_prompt: str
    engine: EngineSlice


class SearchSlice(Block):
    """Step-guided search."""

    seed: int
    policy_name: str
    policy: PolicyConfig
    policy_engine: EngineSlice
    prm_name: str
    prm_system_prompt: str
    prm_engine: EngineSlice
    guided: GuidedConfig


class GradeSlice(Block):
    """Grade answers with one data set's scorer."""

    kind: str
    scorer_version: int
    grading: GradingConfig


class SelectSlice(Block):
    """Pick candidates by every strategy."""

    seed: int
    prms: tuple[str, ...]
    ranking: EvaluationConfig


class MetricsSlice(Block):
    """Accuracy with intervals over one benchmark."""

    benchmark: str
    policies: tuple[str, ...]
    prms: tuple[str, ...]
    n: tuple[int, ...]
    guided_n: int
    metrics: MetricsConfig


class TablesSlice(Block):
    """Tables and figures."""

    sources: tuple[tuple[str, int], ...]
    """Sources and their number of shards."""
    tables: TablesConfig
    facts: dict[str, str]
    """What every table states: interval, draws, judge, versions."""


class BaseSlice(Block):
    """Train a mini base model."""

    base_model: BaseModelConfig


def engine(config: Config, model: str, role: Role | None) -> EngineSlice:
    """The engine slice of a model in one role (None: it is trained), without the other's engine."""
    chosen = config.models[model]
    own = Engines(**{role: getattr(chosen.engines, role)}) if role else Engines()
    return EngineSlice(name=model, model=chosen.model_copy(update={"engines": own}))


def rollout(config: Config, policy: str, dataset: str) -> RolloutSlice:
    """The slice of one policy on one data set; ``n`` is the source's or the candidates'."""
    chosen = config.policies[policy]
    source = config.sources.get(dataset)
    n = source.rollouts if source else config.evaluation.ranking.candidates
    return RolloutSlice(
        seed=config.seed,
        policy_name=policy,
        policy=chosen,
        engine=engine(config, chosen.model, "policy"),
        n=n,
    )


def estimate(config: Config, policy: str) -> EstimateSlice:
    """The slice of the Monte-Carlo stage."""
    chosen = config.policies[policy]
    return EstimateSlice(
        seed=config.seed,
        policy_name=policy,
        policy=chosen,
        engine=engine(config, chosen.model, "policy"),
        estimates=config.labels.estimates,
    )


def examples(config: Config) -> ExamplesSlice:
    """The slice of the examples stage; the question is shown as the policy saw it."""
    return ExamplesSlice(
        seed=config.seed,
        examples=config.labels.examples,
        user_prompt=config.policies[config.labels.policy].user_prompt,
    )


def train(config: Config, prm: str) -> TrainSlice:
    """The slice of one PRM's training."""
    chosen = config.prms[prm]
    if chosen.training is None:
        raise ValueError(f"prms.{prm} is published, not trained")
    base = engine(config, chosen.base, None)
    return TrainSlice(training=config.training[chosen.training], base=base)


def score(config: Config, prm: str, policy: str) -> ScoreSlice:
    """The slice of one PRM scoring one policy's candidates."""
    chosen = config.prms[prm]
    return ScoreSlice(
        system_prompt=chosen.system_prompt,
        user_prompt=config.policies[policy].user_prompt,
        engine=engine(config, chosen.base, "scorer"),
    )


def rank(config: Config, policy: str) -> RankSlice:
    """The slice of LLM-as-judge selection over one policy's candidates."""
    model = config.evaluation.llm_judge
    if model is None:
        raise ValueError("evaluation.llm_judge is null")
    return RankSlice(
        system_prompt=config.labels.examples.system_prompt,
        user_prompt=config.policies[policy].user_prompt,
        engine=engine(config, model, "scorer"),
    )


def search(config: Config, policy: str, prm: str) -> SearchSlice:
    """The slice of guided search of one policy by one PRM."""
    chosen, reward = config.policies[policy], config.prms[prm]
    return SearchSlice(
        seed=config.seed,
        policy_name=policy,
        policy=chosen,
        policy_engine=engine(config, chosen.model, "policy"),
        prm_name=prm,
        prm_system_prompt=reward.system_prompt,
        prm_engine=engine(config, reward.base, "scorer"),
        guided=config.evaluation.guided,
    )


def metrics(config: Config, benchmark: str) -> MetricsSlice:
    """The slice of the metrics of one benchmark."""
    return MetricsSlice(
        benchmark=benchmark,
        policies=config.evaluation.policies,
        prms=config.evaluation.prms,
        n=config.evaluation.ranking.n,
        guided_n=config.evaluation.guided.n,
        metrics=config.metrics,
    )


def tables(config: Config, shards: dict[str, int]) -> TablesSlice:
    """The slice of tables and figures; ``shards``: their number for each source."""
    measured = config.metrics
    ranking = config.evaluation.ranking
    return TablesSlice(
        sources=tuple((name, shards[name]) for name in config.sources),
        tables=config.tables,
        facts={
            "run": config.run,
            "interval": (
                f"{100 * measured.confidence:g} % bootstrap over questions,"
                f" {measured.resamples} resamples"
            ),
            "candidates": f"{ranking.candidates} a question, {ranking.draws} draws of each n below",
            "judge": config.labels.judge.name,
        },
    )
