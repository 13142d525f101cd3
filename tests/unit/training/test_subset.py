"""A training on fewer questions: which ones, and that they lie within more."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.puzzles import small
from tests.unit.training.prm_runs import ENVIRONMENT, command, recipe, write_inputs
from tests.workflow.runs import nano
from vlprm.config.checked import load_config
from vlprm.config.plan import Plan
from vlprm.config.slices.engines import EngineSlice
from vlprm.config.slices.train import TrainSlice
from vlprm.config.work import Work
from vlprm.stages import train
from vlprm.training.subset import Subset, of_questions

OWNERS = [f"q{number // 3}" for number in range(60)]
"""Twenty questions of three rows each."""


@pytest.mark.parametrize("most", [1, 7, 20, 25])
def test_all_rows_of_as_many_questions_in_order(most: int) -> None:
    places = of_questions(OWNERS, most, 1)
    assert places == sorted(places)
    assert len(places) == 3 * min(most, 20)
    assert len({OWNERS[place] for place in places}) == min(most, 20)


def test_fewer_lie_within_more_and_the_seed_decides() -> None:
    chosen = [set(of_questions(OWNERS, most, 1)) for most in (3, 8, 15)]
    assert chosen[0] < chosen[1] < chosen[2]
    assert set(of_questions(OWNERS, 8, 2)) != chosen[1]


def test_the_order_of_the_rows_does_not_choose() -> None:
    turned = OWNERS[::-1]
    kept = {OWNERS[place] for place in of_questions(OWNERS, 5, 1)}
    assert {turned[place] for place in of_questions(turned, 5, 1)} == kept


def test_a_subset_is_a_sequence() -> None:
    rows = Subset(range(10, 20), [1, 4, 7])  # type: ignore[arg-type]
    assert list(rows) == [11, 14, 17]
    assert rows[-1] == 17
    assert rows[1:] == [14, 17]


def test_the_work_counts_no_more_conversations_than_their_rollouts() -> None:
    config = nano()
    config["training"]["prm"]["questions"] = 5
    work = Work(Plan(load_config(config, "test")))
    assert work.conversations("prm-small") == 5 * config["sources"]["matrix-train"]["rollouts"]


@pytest.mark.parametrize(("wanted", "found"), [(2, 2), (6, 6), (9, 6)])
def test_the_stage_trains_on_them_and_counts_those_it_wanted(
    tmp_path: Path, wanted: int, found: int
) -> None:
    write_inputs(tmp_path, 6)
    weights = tmp_path / "prm" / "model.safetensors"
    run = command(tmp_path, weights, recipe(questions=wanted), 1)
    done = subprocess.run(run, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    record = json.loads((weights.parent / "model.safetensors.manifest.json").read_text())
    counts = record["counts"]
    assert counts["conversations"] == found
    assert (counts["questions_wanted"], counts["questions_found"]) == (wanted, found)
    told = [line for line in done.stderr.splitlines() if "WARNING train: " in line]
    assert [f"asks for {wanted} questions, and {found} have" in line for line in told] == (
        [True] if found < wanted else []
    )


def test_a_recipe_of_all_questions_counts_none(tmp_path: Path) -> None:
    write_inputs(tmp_path, 2)
    config = TrainSlice(training=recipe(), base=EngineSlice(name="small", model=small()))
    rows, counts = train._conversations(config, tmp_path / "examples.parquet")
    assert (len(rows), counts) == (2, {})
