"""Examples shard by shard: the same as from all at once, whatever is balanced or left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from vlprm.config.labels import ExamplesConfig
from vlprm.config.slices.examples import ExamplesSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.labels.soft import SoftPRMExample
from vlprm.leaks.search import Kind, LeakHit
from vlprm.records import (
    PRMExample,
    Record,
    Rollout,
    Sample,
    Section,
    Step,
    StepEstimate,
    StepLabel,
)
from vlprm.seeds import seed_for
from vlprm.solutions.rollouts import sample_of
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
        id=f"{sample_id}/small#{number:03d}", sample_id=sample_id, text="t", steps=steps,
        answer=None, finish_reason="stop", prompt_tokens=1, completion_tokens=1, seed=0,
    )  # fmt: skip


def labels(name: str, *values: int | None) -> list[StepLabel]:
    return [
        StepLabel.model_validate(
            {"rollout_id": name, "step_index": i, "label": value, "rule": "judge"}
        )
        for i, value in enumerate(values)
    ]


def keys(kind: str, shard: int) -> dict[str, str]:
    found = {"dataset": "s", "shard": f"{shard:03d}"}
    return found if kind == "samples" else found | {"policy": "small"}


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
            parquet.write(records, paths[kind][-1], record, keys=keys(kind, shard))
    return paths


def made(
    shards: dict[str, list[Path]],
    out: Path,
    balance: str = "none",
    most: int | None = None,
    *,
    leaks: tuple[str, ...] = (),
    hits: list[Path] | None = None,
    estimates: list[Path] | None = None,
    **more: object,
) -> tuple[list[PRMExample], list[list[str]]]:
    wanted = ExamplesConfig.model_validate(
        {"system_prompt": "prm_system_v1", "balance": balance, "max_examples": most, **more}
    )
    config = ExamplesSlice(
        sources=(("s", len(shards["samples"])),), policy="small", seed=SEED, examples=wanted,
        user_prompt="policy_steps_v1", leaks=leaks,
        min_graded=2 if estimates else None,
    )  # fmt: skip
    files = out / "examples.parquet", out / "dropped.csv"
    examples.run(
        config, shards["samples"], shards["rollouts"], shards["labels"],
        hits or [], estimates or [], *files,
    )  # fmt: skip
    listed = [line.split(",") for line in files[1].read_text().splitlines()[1:]]
    record = SoftPRMExample if estimates else PRMExample
    return list(parquet.read(files[0], record)), listed


SOLUTIONS = [f"{name}/small#{k:03d}" for names in QUESTIONS for name in names for k in range(3)]
BY_KIND = {name: KINDS[at % len(KINDS)] for at, name in enumerate(SOLUTIONS)}
USED = [name for name, kind in BY_KIND.items() if kind and any(v is not None for v in kind)]


def test_every_rollout_is_used_or_listed(shards: dict[str, list[Path]], tmp_path: Path) -> None:
    found, listed = made(shards, tmp_path)
    assert [item.rollout_id for item in found] == USED
    assert [item.labels for item in found] == [BY_KIND[name] for name in USED]
    assert all(sample_of(item.rollout_id) in item.question for item in found)
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
        rows = parquet.iterate(shards[kind], record)
        parquet.write(rows, folder / f"{kind}.parquet", record, keys=keys(kind, 0))
    return {kind: folder / f"{kind}.parquet" for kind in records}


def test_rollouts_of_other_questions_are_refused(
    shards: dict[str, list[Path]], tmp_path: Path
) -> None:
    other = [sample(name) for name in QUESTIONS[0]]
    parquet.write(other, shards["samples"][1], Sample, keys=keys("samples", 1))
    with pytest.raises(UserError, match="rollouts of ids that are not there: s/1/0, s/1/1, s/1/2"):
        made(shards, tmp_path)
    assert not (tmp_path / "examples.parquet").exists()


def test_hits_of_the_kinds_asked_for_are_left_out(
    shards: dict[str, list[Path]], tmp_path: Path
) -> None:
    planted = {"s/0/1": Kind.PIXELS, "s/1/2": Kind.QUESTION, "s/2/0": Kind.PIXELS}
    hits = [
        LeakHit(source="s", sample_id=name, kind=kind, benchmark="b", n=1, example="b/0",
                distance=None)
        for name, kind in planted.items()
    ]  # fmt: skip
    table = tmp_path / "hits.parquet"
    parquet.write(hits, table, LeakHit, keys={})
    for kinds in (("pixels",), ("pixels", "question")):
        gone = {name for name, kind in planted.items() if kind in kinds}
        for balance in ("none", "outcome"):
            out = tmp_path / f"{kinds}{balance}"
            found, listed = made(shards, out, balance, leaks=kinds, hits=[table])
            assert found
            assert not {sample_of(item.rollout_id) for item in found} & gone
            told = [name for name, why in listed if "of a benchmark" in why]
            assert told == [n for n, k in BY_KIND.items() if k and sample_of(n) in gone]
    assert {sample_of(item.rollout_id) for item in made(shards, tmp_path / "x")[0]} >= {"s/0/1"}


def test_a_cap_holds_and_a_weight_of_nought_leaves_nothing(
    shards: dict[str, list[Path]], tmp_path: Path
) -> None:
    found, listed = made(shards, tmp_path, caps={"s": 5})
    assert {item.rollout_id for item in found} == drawn(USED, 5)
    assert sum(why == "left out by balancing" for _, why in listed) == len(USED) - 5
    assert not made(shards, tmp_path / "none", weights={"s": 0.0})[0]
    assert len(made(shards, tmp_path / "all", weights={"s": 3.0})[0]) == len(USED)


def test_perception_steps_carry_no_loss_or_their_errors_leave(tmp_path: Path) -> None:
    first = Section.PERCEPTION
    asked = sample("s/0/0")
    solved = [
        item.model_copy(
            update={"steps": tuple(
                step.model_copy(update={"section": first if step.index == 0 else step.section})
                for step in item.steps
            )}
        )
        for item in (rollout("s/0/0", k) for k in range(3))
    ]  # fmt: skip
    values = [(1, 1, 1), (0,), (1, 0)]
    said = [one for item, own in zip(solved, values, strict=True) for one in labels(item.id, *own)]
    tables: dict[str, tuple[Sequence[Record], type[Record]]] = {
        "samples": ([asked], Sample), "rollouts": (solved, Rollout), "labels": (said, StepLabel),
    }  # fmt: skip
    paths = {kind: [tmp_path / f"{kind}.parquet"] for kind in tables}
    for kind, (records, record) in tables.items():
        parquet.write(records, paths[kind][0], record, keys=keys(kind, 0))
    for most in (None, 100):  # counted beforehand or not
        found, listed = made(paths, tmp_path / f"n{most}", "none", most, subset="no_perception")
        assert [item.labels for item in found] == [(None, 1, 1), (None, 0)]
        assert listed == [[solved[1].id, "no step carries a label"]]
        found, listed = made(paths, tmp_path / f"r{most}", "none", most, subset="reasoning_errors")
        assert [item.labels for item in found] == [(1, 1, 1), (1, 0)]
        assert listed == [[solved[1].id, "first error in perception"]]
    whole = made(paths, tmp_path / "b", "outcome", subset="no_perception")[0]
    assert len(whole) == 2


def test_soft_labels_are_the_values_of_labelled_steps(
    shards: dict[str, list[Path]], tmp_path: Path
) -> None:
    tables = []
    for shard, names in enumerate(QUESTIONS):
        rows = [
            StepEstimate(
                rollout_id=f"{name}/small#{k:03d}", step_index=step, n_correct=step + 1,
                n_graded=1 if step == 2 else 4, n_failed=0,
            )
            for name in names for k in range(3) for step in range(3)
        ]  # fmt: skip
        tables.append(tmp_path / "estimates" / f"{shard}.parquet")
        parquet.write(rows, tables[-1], StepEstimate, keys=keys("estimates", shard))
    found, _ = made(shards, tmp_path, soft=True, estimates=tables[::-1])
    assert [item.rollout_id for item in found] == USED
    for item in found:
        assert isinstance(item, SoftPRMExample)
        # the third step has one graded continuation: too few for a value
        assert item.targets == ((0.25, 0.5, None)[: len(item.labels)])
        assert item.labels == ((*(BY_KIND[item.rollout_id] or ())[:2], None)[: len(item.labels)])
