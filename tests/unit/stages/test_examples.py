"""Examples shard by shard: the same as from all at once, whatever is balanced or left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from vlprm.config.labels import ExamplesConfig
from vlprm.config.slices import ExamplesSlice
from vlprm.errors import UserError
from vlprm.io import tables
from vlprm.records import PRMExample, Record, Rollout, Sample, Section, Step, StepLabel
from vlprm.seeds import seed_for
from vlprm.stages import examples

SEED = 5


def sample(name: str) -> Sample:
    return Sample(
        id=name, question=f"What is {name}?", images=(), answer="4", answer_type="integer"
    )


def rollout(sample_id: str, number: int) -> Rollout:
    steps = tuple(
        Step(index=i, section=Section.REASONING, text=f"step {i}", end=i) for i in range(3)
    )
    return Rollout(
        id=f"{sample_id}#{number:03d}", sample_id=sample_id, text="t", steps=steps, answer=None,
        finish_reason="stop", prompt_tokens=1, completion_tokens=1, seed=0,
    )  # fmt: skip


def labels(name: str, *values: int | None) -> list[StepLabel]:
    return [
        StepLabel.model_validate(
            {"rollout_id": name, "step_index": i, "label": value, "rule": "judge"}
        )
        for i, value in enumerate(values)
    ]


QUESTIONS = [[f"s/{shard}/{q}" for q in range(4)] for shard in range(3)]
KINDS: Sequence[tuple[int | None, ...] | None] = ((1, 1, 1), None, (1, 0), (None, None), (0,))
"""What the labels of solution k say, by k modulo 5; None: it has none."""


@pytest.fixture
def shards(tmp_path: Path) -> dict[str, list[Path]]:
    paths: dict[str, list[Path]] = {"samples": [], "rollouts": [], "labels": []}
    counted = 0
    for shard, names in enumerate(QUESTIONS):
        solved = [rollout(name, k) for name in names for k in range(3)]
        said = []
        for item in solved:
            values = KINDS[counted % len(KINDS)]
            said += labels(item.id, *values) if values else []
            counted += 1
        rows: dict[str, tuple[Sequence[Record], type[Record]]] = {
            "samples": ([sample(name) for name in names], Sample),
            "rollouts": (solved, Rollout),
            "labels": (said, StepLabel),
        }
        for kind, (records, record) in rows.items():
            paths[kind].append(tmp_path / kind / f"{shard}.parquet")
            tables.write(records, paths[kind][-1], record)
    return paths


def made(
    shards: dict[str, list[Path]], out: Path, balance: str = "none", most: int | None = None
) -> tuple[list[PRMExample], list[list[str]]]:
    wanted = ExamplesConfig.model_validate(
        {"system_prompt": "prm_system_v1", "balance": balance, "max_examples": most}
    )
    config = ExamplesSlice(seed=SEED, examples=wanted, user_prompt="policy_steps_v1")
    files = out / "examples.parquet", out / "dropped.csv"
    examples.run(config, shards["samples"], shards["rollouts"], shards["labels"], *files)
    listed = [line.split(",") for line in files[1].read_text().splitlines()[1:]]
    return tables.read(files[0], PRMExample), listed


SOLUTIONS = [f"{name}#{k:03d}" for names in QUESTIONS for name in names for k in range(3)]
BY_KIND = {name: KINDS[at % len(KINDS)] for at, name in enumerate(SOLUTIONS)}
USED = [name for name, kind in BY_KIND.items() if kind and any(v is not None for v in kind)]


def test_every_rollout_is_used_or_listed(shards: dict[str, list[Path]], tmp_path: Path) -> None:
    found, listed = made(shards, tmp_path)
    assert [item.rollout_id for item in found] == USED
    assert [item.labels for item in found] == [BY_KIND[name] for name in USED]
    assert all(item.rollout_id.rpartition("#")[0] in item.turns[0] for item in found)
    assert listed == [
        [name, "no labels" if kind is None else "no step carries a label"]
        for name, kind in BY_KIND.items()
        if name not in USED
    ]


def drawn(names: list[str], n: int) -> set[str]:
    return set(sorted(names, key=lambda name: seed_for(SEED, "balance", name))[:n])


@pytest.mark.parametrize(("balance", "most"), [("outcome", None), ("outcome", 7), ("none", 5)])
def test_who_stays_is_drawn_over_all_shards(
    shards: dict[str, list[Path]], tmp_path: Path, balance: str, most: int | None
) -> None:
    wrong = [name for name in USED if 0 in (BY_KIND[name] or ())]
    right = [name for name in USED if name not in wrong]
    if balance == "outcome":
        size = min(len(wrong), len(right), (most or 1000) // 2)
        kept = drawn(wrong, size) | drawn(right, size)
    else:
        kept = drawn(USED, most or 1000)
    found, listed = made(shards, tmp_path, balance, most)
    assert [item.rollout_id for item in found] == [name for name in USED if name in kept]
    surplus = [row[0] for row in listed if row[1] == "left out by balancing"]
    assert surplus == [name for name in USED if name not in kept]
    assert [row[0] for row in listed[-len(surplus) :]] == surplus
    whole = {name: [one] for name, one in _joined(shards, tmp_path / "whole").items()}
    again, listed_again = made(whole, tmp_path / "again", balance, most)
    assert again == found
    assert listed_again == listed


def _joined(shards: dict[str, list[Path]], folder: Path) -> dict[str, Path]:
    """The same tables as one shard."""
    records = {"samples": Sample, "rollouts": Rollout, "labels": StepLabel}
    for kind, record in records.items():
        tables.write(tables.iterate(shards[kind], record), folder / f"{kind}.parquet", record)
    return {kind: folder / f"{kind}.parquet" for kind in records}


def test_shards_in_another_order_are_refused(shards: dict[str, list[Path]], tmp_path: Path) -> None:
    shards["samples"] = shards["samples"][::-1]
    with pytest.raises(UserError, match="solves a question that is not in"):
        made(shards, tmp_path)
    assert not (tmp_path / "examples.parquet").exists()
