"""The tables of a small made-up run: two of all that there are many of, but one search."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vlprm.config import slices
from vlprm.config.evaluation import EvaluationConfig
from vlprm.config.labels import ExamplesConfig
from vlprm.io import parquet
from vlprm.records import (
    WHOLE_SOLUTION,
    Grade,
    Record,
    Rollout,
    Sample,
    SearchCost,
    Section,
    Step,
    StepLabel,
    StepScore,
    Verdict,
)
from vlprm.solutions.rollouts import rollout_id, searched_by

ROOT = Path(__file__).resolve().parents[2]
POLICIES, PRMS, SHARDS, CANDIDATES = ("small", "large"), ("one", "two"), 2, 4
BENCHMARKS, SOURCES = ("bench", "other"), ("source", "another")
SEARCH, JUDGE = "guided_search", "judge"


@dataclass
class Run:
    """Where the tables lie: kind to paths, in the order of policy, PRM and shard."""

    folder: Path
    files: dict[str, list[Path]] = field(default_factory=dict)

    def add(self, kind: str, rows: Sequence[Record], record: type[Record], **keys: str) -> None:
        """Write one table of a kind."""
        name = "-".join([*keys.values()])
        self.files.setdefault(kind, []).append(self.folder / kind / f"{name}.parquet")
        parquet.write(rows, self.files[kind][-1], record, keys=keys)


def sample(name: str) -> Sample:
    """A question whose answer is 4."""
    return Sample(
        id=name, question=f"What is {name}?", images=(), answer="4", answer_type="integer"
    )


def rollout(of: str, drawn_by: str, number: int, answer: str = "4") -> Rollout:
    """A solution of two steps."""
    steps = tuple(
        Step(index=i, section=Section.REASONING, text=f"step {i}", end=i) for i in range(2)
    )
    return Rollout(
        id=rollout_id(of, drawn_by, number), sample_id=of, text=f"so {answer}", steps=steps,
        answer=answer, finish_reason="stop", prompt_tokens=1, completion_tokens=1, seed=0,
    )  # fmt: skip


def _scores(item: Rollout, dice: random.Random, views: Sequence[int]) -> list[StepScore]:
    return [
        StepScore(
            rollout_id=item.id, step_index=index, logit_plus=dice.gauss(0, 2), logit_minus=0.0,
            prompt_tokens=9,
        )
        for index in views
    ]  # fmt: skip


def _verdict(item: Rollout, error: int | None) -> Verdict:
    return Verdict(rollout_id=item.id, judge="j", first_error=error, status="ok", raw="")


def _graded(item: Rollout) -> Grade:
    return Grade(rollout_id=item.id, correct=item.answer == "4", method="number")


def made(folder: Path) -> Run:
    """Write the run's tables up to selection."""
    run, dice = Run(folder), random.Random(1)
    for number in range(SHARDS):
        for benchmark in BENCHMARKS:
            _benchmark(run, dice, {"dataset": benchmark, "shard": f"{number:03d}"})
        for source in SOURCES:
            _source(run, dice, {"dataset": source, "shard": f"{number:03d}"})
    return run


def _benchmark(run: Run, dice: random.Random, shard: dict[str, str]) -> None:
    names = [f"{shard['dataset']}/{shard['shard']}/{q}" for q in range(3)]
    run.add("samples", [sample(name) for name in names], Sample, **shard)
    for policy in POLICIES:
        own = shard | {"policy": policy}
        solved = [
            rollout(name, policy, k, dice.choice("4455"))
            for name in names
            for k in range(CANDIDATES)
        ]
        run.add("rollouts", solved, Rollout, **own)
        run.add("grades", [_graded(item) for item in solved], Grade, **own)
        said = [_verdict(item, dice.choice((None, 0, 1))) for item in solved]
        run.add("verdicts", said, Verdict, **own)
        ranked = [score for item in solved for score in _scores(item, dice, [WHOLE_SOLUTION])]
        run.add("ranks", ranked, StepScore, **own, judge=JUDGE)
        for prm in PRMS:
            views = [WHOLE_SOLUTION, 0, 1]
            rows = [score for item in solved for score in _scores(item, dice, views)]
            run.add("scores", rows, StepScore, **own, prm=prm)
            searched = searched_by(SEARCH, policy, prm)
            found = [rollout(name, searched, 0, dice.choice("45")) for name in names]
            of_search = own | {"prm": prm, "search": SEARCH}
            run.add("searched", found, Rollout, **of_search)
            took = [
                SearchCost(
                    sample_id=name, rounds=2, policy_samples=16, sampled_tokens=dice.randrange(99),
                    prm_calls=16, read_tokens=dice.randrange(999),
                )
                for name in names
            ]  # fmt: skip
            run.add("search_costs", took, SearchCost, **of_search)
            run.add("searched_grades", [_graded(item) for item in found], Grade, **of_search)


def _source(run: Run, dice: random.Random, shard: dict[str, str]) -> None:
    names = [f"{shard['dataset']}/{shard['shard']}/{q}" for q in range(3)]
    run.add("source_samples", [sample(name) for name in names], Sample, **shard)
    own = shard | {"policy": "small"}
    solved = [rollout(name, "small", k) for name in names for k in range(2)]
    run.add("source_rollouts", solved, Rollout, **own)
    labels = [
        StepLabel(rollout_id=item.id, step_index=i, label=dice.choice((0, 1)), rule="judge")
        for item in solved[1:]
        for i in range(2)
    ]
    run.add("labels", labels, StepLabel, **own)


def _config(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())[name])


def _ranking() -> EvaluationConfig:
    return EvaluationConfig(
        candidates=CANDIDATES, n=(1, 2, 4), draws=2,
        strategies=("majority", "best_of_n_orm", "step_aggregation", "llm_judge"),
        aggregations=("min",), vote_weights=(), deduplicate=False, unfinished_compete=False,
    )  # fmt: skip


def select_slice(policy: str, benchmark: str) -> slices.select.SelectSlice:
    """What select is told."""
    return slices.select.SelectSlice(
        benchmark=benchmark, shards=SHARDS, policy=policy, seed=3, prms=PRMS, judge=JUDGE,
        ranking=_ranking(),
    )  # fmt: skip


def metrics_slice(benchmark: str) -> slices.metrics.MetricsSlice:
    """What metrics and step_metrics are told."""
    return slices.metrics.MetricsSlice(
        benchmark=benchmark, shards=SHARDS, policies=POLICIES, prms=PRMS, n=(1, 2, 4),
        candidates=CANDIDATES, draws=2, searches={SEARCH: 8}, step_truth=True, replicates={},
        metrics=_config("metrics"),
    )  # fmt: skip


def costs_slice(benchmark: str) -> slices.costs.CostsSlice:
    """What costs is told."""
    return slices.costs.CostsSlice(
        benchmark=benchmark, shards=SHARDS, policies=POLICIES, prms=PRMS, judge=JUDGE,
        searches={SEARCH: 8}, ranking=_ranking(),
    )  # fmt: skip


def tables_slice() -> slices.tables.TablesSlice:
    """What tables and figures are told."""
    facts = dict.fromkeys(
        ("interval", "unfinished", "chosen", "draws", "judge", "run", "candidates"), "as stated"
    )
    return slices.tables.TablesSlice(
        sources=tuple((name, SHARDS) for name in SOURCES), policy="small", benchmarks=BENCHMARKS,
        searches={SEARCH: "greedy"},
        tables=_config("tables") | {"dpi": 50}, facts=facts,
    )  # fmt: skip


def examples_slice() -> slices.examples.ExamplesSlice:
    """What examples is told."""
    wanted = ExamplesConfig(system_prompt="prm_system_v1", balance="outcome", max_examples=None)
    return slices.examples.ExamplesSlice(
        sources=tuple((name, SHARDS) for name in SOURCES), policy="small", seed=3, examples=wanted,
        user_prompt="policy_steps_v1",
    )  # fmt: skip
