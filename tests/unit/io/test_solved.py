"""A shard's questions and rollouts: read together, refused where they do not belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.keyed_run import rollout, sample
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.solved import solved
from vlprm.records import Rollout, Sample

SHARD = {"dataset": "d", "shard": "000"}
OWN = SHARD | {"policy": "small"}
QUESTIONS = [sample(f"d/{q}") for q in range(5)]
SOLUTIONS = [rollout(item.id, "small", k) for item in QUESTIONS for k in range(2)]


def written(
    folder: Path,
    questions: list[Sample] = QUESTIONS,
    solutions: list[Rollout] = SOLUTIONS,
    **keys: str,
) -> tuple[Path, Path]:
    files = folder / "s.parquet", folder / "r.parquet"
    parquet.write(questions, files[0], Sample, keys=SHARD)
    parquet.write(solutions, files[1], Rollout, keys=OWN | keys)
    return files


def test_a_shard_is_read_with_its_keys(tmp_path: Path) -> None:
    found = solved(*written(tmp_path), policy="small")
    assert found.keys == OWN
    assert found.questions == {item.id: item for item in QUESTIONS}
    assert found.solutions == SOLUTIONS


def test_results_of_a_search_are_read_where_they_are_meant(tmp_path: Path) -> None:
    of_search = {"search": "beam", "prm": "one"}
    files = written(tmp_path, **of_search)
    assert solved(*files, or_searched=True).keys == OWN | of_search
    with pytest.raises(UserError, match=r"key prm is .one., expected absent"):
        solved(*files)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"policy": "large"}, "key policy is 'large', expected 'small'"),
        ({"shard": "001"}, "key shard is '001', expected '000'"),
        ({"dataset": "e"}, "key dataset is 'e', expected 'd'"),
    ],
)
def test_tables_of_other_places_are_refused(
    tmp_path: Path, keys: dict[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        solved(*written(tmp_path, **keys), policy="small")


def test_wrong_ids_are_named(tmp_path: Path) -> None:
    for questions, solutions, said in (
        (QUESTIONS[:4], SOLUTIONS, "r.parquet: rollouts of ids that are not there: d/4"),
        (QUESTIONS, SOLUTIONS[2:], "r.parquet: ids without rollouts: d/0"),
        (QUESTIONS, SOLUTIONS[:2], r"ids without rollouts: d/1, d/2, d/3 \(4 in all\)"),
        (QUESTIONS, SOLUTIONS + SOLUTIONS[:1], "rollouts given twice: d/0/small#000"),
        (QUESTIONS + QUESTIONS[:1], SOLUTIONS, "s.parquet: questions given twice: d/0"),
    ):
        with pytest.raises(UserError, match=said):
            solved(*written(tmp_path, questions, solutions))
