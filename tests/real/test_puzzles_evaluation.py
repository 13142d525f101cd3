"""The evaluation half on real puzzle images: every type goes through the workflow and is graded."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.runs import Workdir, nano
from vlprm.io import parquet
from vlprm.records import Grade, Metric, Rollout, Sample, StepScore
from vlprm.solutions.rollouts import sample_of

SHARED = Path(os.environ.get("VLPRM_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
PUZZLES = SHARED / "data" / "puzzles"
pytestmark = pytest.mark.skipif(not PUZZLES.is_dir(), reason="needs the puzzle sample")

ROWS = {"puzzlevqa": ("PuzzleVQA", 200), "algopuzzlevqa": ("AlgoPuzzleVQA", 72)}
CHANCE = {"puzzlevqa": 0.2667, "algopuzzlevqa": 0.2639}
CANDIDATES = 2


def config() -> dict[str, Any]:
    """The nano run with real benchmarks; the PRM is the small base model as it is."""
    found = nano()
    found["run"] = "puzzles"
    for model in found["models"].values():
        model["pixels"] = {"min": 784, "max": 50176}
    # it never saw such pictures: hot enough, its babble comes to an end instead of looping
    found["policies"]["small"]["sampling"] |= {"temperature": 3.0, "max_tokens": 1024}
    found["sources"] = {}
    found["prms"] = {
        "untrained": {
            "source": "published",
            "base": "small",
            "system_prompt": "prm_system_mini_v1",
            "question_prompt": "policy_mini_v1",
            "training": None,
        }
    }
    found["benchmarks"] = {
        kind: {
            "data": {
                "kind": kind,
                "path": str((PUZZLES / folder).resolve()),
                "n": n,
                "shard_size": n,
            },
            "scorer_version": 2,
            "grading": {"scorer": "own", "unparsed": "random", "seed": 5},
        }
        for kind, (folder, n) in ROWS.items()
    }
    found["evaluation"] |= {
        "policies": ["small"],
        "prms": ["untrained"],
        "benchmarks": list(ROWS),
        "searches": {},
        "step_truth": False,
        "llm_judge": None,
    }
    found["evaluation"]["ranking"] |= {
        "candidates": CANDIDATES,
        "n": [1, CANDIDATES],
        "strategies": ["first", "majority", "best_of_n_orm", "step_aggregation"],
    }
    found["tables"]["curves"] = ["majority", "best_of_n_orm"]
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = Workdir(tmp_path_factory.mktemp("puzzles"))
    targets = [f"results/puzzles/metrics/{kind}/accuracy.parquet" for kind in ROWS]
    workdir.run(config(), *targets)
    return workdir.path / "results" / "puzzles"


@pytest.mark.parametrize("kind", list(ROWS))
def test_every_type_is_drawn_scored_and_graded(results: Path, kind: str) -> None:
    samples = parquet.read(results / "samples" / kind / "000.parquet", Sample)
    rollouts = parquet.read(results / "rollouts" / "small" / kind / "000.parquet", Rollout)
    grades = parquet.read(results / "grades" / "small" / kind / "000.parquet", Grade)
    scores = parquet.read(
        results / "scores" / "untrained" / "small" / kind / "000.parquet", StepScore
    )
    assert len(samples) == ROWS[kind][1]
    assert len(rollouts) == len(grades) == CANDIDATES * len(samples)
    types = Counter(sample.subset for sample in samples)
    assert len(types) == {"puzzlevqa": 20, "algopuzzlevqa": 18}[kind]
    assert {item.finish_reason for item in rollouts} <= {"stop", "length"}
    assert {item.rollout_id for item in scores} == {item.id for item in rollouts}
    subset = {sample.id: sample.subset for sample in samples}
    cut = {item.id for item in rollouts if item.finish_reason == "length"}
    graded: dict[str | None, int] = defaultdict(int)
    for grade in grades:
        assert (grade.correct is None) == (grade.rollout_id in cut)
        graded[subset[sample_of(grade.rollout_id)]] += grade.correct is not None
    assert set(graded) == set(types)
    assert all(graded.values()), "a type without a single graded solution"


@pytest.mark.parametrize("kind", list(ROWS))
def test_accuracy_is_near_chance(results: Path, kind: str) -> None:
    """A model of coloured shapes names no option, so one is drawn for it (MMMU's way)."""
    found = parquet.read(results / "metrics" / kind / "accuracy.parquet", Metric)
    alone = next(m for m in found if m.strategy == "pass@1" and m.name == "accuracy")
    assert alone.n_samples == ROWS[kind][1]
    assert alone.value is not None
    assert alone.low is not None
    assert alone.high is not None
    assert alone.low - 0.05 <= CHANCE[kind] <= alone.high + 0.05
