"""Tables of any size: written as a stream, read by batch, by row, by key and by column."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.records import PRMExample, Rollout, Section, Step, StepLabel


def labels(n: int, steps: int = 3) -> Iterator[StepLabel]:
    for row in range(n):
        for index in range(steps):
            yield StepLabel(
                rollout_id=f"s/{row}#000",
                step_index=index,
                label=(None, 0, 1)[(row + index) % 3],
                rule="judge",
            )


def rollout(row: int) -> Rollout:
    steps = tuple(
        Step(index=i, section=Section.REASONING, text=f"step {i} of {row}", end=i) for i in range(3)
    )
    return Rollout(
        id=f"s/{row}#000", sample_id=f"s/{row}", text="t" * row, steps=steps,
        answer=None if row % 2 else "4", finish_reason="stop",
        prompt_tokens=1, completion_tokens=2, seed=row,
    )  # fmt: skip


def as_before(rows: list[Rollout] | list[StepLabel], path: Path) -> bytes:
    """One table from all rows, written at once."""
    record = type(rows[0])
    data = [item.model_dump(mode="json") for item in rows]
    table = pa.Table.from_pylist(data, schema=parquet.schema_of(record))
    pq.write_table(table, path, compression="zstd", compression_level=3)
    return path.read_bytes()


def test_streamed_bytes_are_those_of_one_table(tmp_path: Path) -> None:
    many = list(labels(3000))
    assert parquet.write((item for item in many), tmp_path / "a.parquet", StepLabel) == 9000
    assert (tmp_path / "a.parquet").read_bytes() == as_before(many, tmp_path / "b.parquet")
    texts = [rollout(row) for row in range(2500)]
    parquet.write(texts, tmp_path / "a.parquet", Rollout)
    assert (tmp_path / "a.parquet").read_bytes() == as_before(texts, tmp_path / "b.parquet")
    assert parquet.write(iter(()), tmp_path / "a.parquet", Rollout) == 0
    empty = parquet.schema_of(Rollout).empty_table()
    pq.write_table(empty, tmp_path / "b.parquet", compression="zstd", compression_level=3)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("rows", [16384, 16385, 17000])
def test_long_tables_of_texts_have_small_row_groups(tmp_path: Path, rows: int) -> None:
    def examples() -> Iterator[PRMExample]:
        for row in range(rows):
            yield PRMExample(
                rollout_id=f"s#{row}",
                images=(),
                system="",
                question="",
                steps=(str(row),),
                labels=(1,),
            )

    assert parquet.write(examples(), tmp_path / "a.parquet", PRMExample) == rows
    footer = pq.ParquetFile(tmp_path / "a.parquet").metadata
    sizes = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
    assert sizes[0] == (rows if rows <= 16384 else 128)
    assert sum(sizes) == rows
    found = parquet.Rows(tmp_path / "a.parquet", PRMExample)
    assert [found[at].steps for at in (0, 127, 128, rows - 1)] == [
        (str(at),) for at in (0, 127, 128, rows - 1)
    ]
    assert [item.rollout_id for item in parquet.iterate([tmp_path / "a.parquet"], PRMExample)] == [
        f"s#{row}" for row in range(rows)
    ]


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three shards of labels (none in the second), in row groups of 50."""
    monkeypatch.setattr(parquet, "_LARGEST", 50)
    paths = [tmp_path / f"{name}.parquet" for name in "abc"]
    rows = list(labels(100))
    for path, part in zip(paths, (rows[:170], [], rows[170:]), strict=True):
        parquet.write(part, path, StepLabel)
    assert pq.ParquetFile(paths[0]).metadata.num_row_groups == 4
    return paths


@pytest.mark.parametrize("cache", [1, 1 << 30], ids=["one group kept", "all kept"])
def test_rows_are_a_sequence(
    shards: list[Path], cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_CACHE", cache)
    expected, found = list(labels(100)), parquet.Rows(shards, StepLabel)
    assert len(found) == len(expected)
    assert list(found) == expected
    assert [found[at] for at in (299, 0, 170, 169, 51)] == [
        expected[at] for at in (299, 0, 170, 169, 51)
    ]
    assert found[-1] == expected[-1]
    for part in (slice(40, 190), slice(None), slice(5, 5), slice(9, 2), slice(-3, None)):
        assert found[part] == expected[part]
    assert found[250:10:-7] == expected[250:10:-7]
    for outside in (300, -301):
        with pytest.raises(IndexError):
            found[outside]
    assert len(found._kept) == (1 if cache == 1 else 7)


def test_rows_in_forked_workers(shards: list[Path]) -> None:
    expected, found = list(labels(100)), parquet.Rows(shards, StepLabel)
    assert found[7] == expected[7]
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    workers = [
        context.Process(target=lambda s: queue.put(found[s::2] == expected[s::2]), args=(start,))
        for start in (0, 1)
    ]
    for worker in workers:
        worker.start()
    assert [queue.get(), queue.get()] == [True, True]
    for worker in workers:
        worker.join()


def test_records_by_key(tmp_path: Path, shards: list[Path]) -> None:
    expected = list(labels(100))
    found = parquet.ByKey(shards, StepLabel, "rollout_id")
    assert len(found) == 100
    assert found["s/56#000"] == expected[168:171]  # across two files
    assert found.get("s/100#000") is None
    names = [f"s/{row}#000" for row in range(100)]
    for asked in (names, names[::-1], names[::7] + names, [names[3]] * 3 + names[2:]):
        fresh = parquet.ByKey(shards, StepLabel, "rollout_id")
        rows = [int(name[2:-4]) for name in asked]
        assert [fresh[name] for name in asked] == [expected[3 * n : 3 * n + 3] for n in rows]
    assert list(found) == [f"s/{row}#000" for row in range(100)]
    parquet.write(expected[:6] + expected[1:2], tmp_path / "apart.parquet", StepLabel)
    apart = parquet.ByKey([tmp_path / "apart.parquet"], StepLabel, "rollout_id")
    assert apart["s/0#000"] == [*expected[:3], expected[1]]
    assert len(parquet.ByKey([], StepLabel, "rollout_id")) == 0


def test_columns(tmp_path: Path, shards: list[Path]) -> None:
    frame = parquet.frame(shards, StepLabel, ["rollout_id", "label"])
    assert frame.columns == ["rollout_id", "label"]
    assert frame["label"].to_list() == [item.label for item in labels(100)]
    assert parquet.frame([], StepLabel, ["label"]).shape == (0, 1)
    assert parquet.frame(shards[1:2], StepLabel).columns == list(StepLabel.model_fields)
    parquet.write([rollout(5)], tmp_path / "r.parquet", Rollout)
    nested = parquet.frame([tmp_path / "r.parquet"], Rollout, ["id", "steps.list.element.section"])
    assert nested.rows() == [("s/5#000", [{"section": "reasoning"}] * 3)]
    with pytest.raises(UserError, match=r"r\.parquet.*not a table of StepLabel"):
        parquet.frame([tmp_path / "r.parquet"], StepLabel, ["label"])


def test_bad_files(tmp_path: Path, shards: list[Path]) -> None:
    gone, damaged = tmp_path / "gone.parquet", tmp_path / "damaged.parquet"
    damaged.write_bytes(shards[0].read_bytes()[:-9])
    for path, said in ((gone, "no such file"), (damaged, "not a readable Parquet file")):
        for ask in (
            lambda path=path: parquet.read(path, StepLabel),
            lambda path=path: parquet.Rows(path, StepLabel),
            lambda path=path: parquet.frame([path], StepLabel),
            lambda path=path: parquet.ByKey([path], StepLabel, "rollout_id"),
        ):
            with pytest.raises(UserError, match=said):
                ask()
    table = pq.read_table(shards[0])
    at = table.schema.get_field_index("label")
    table = table.set_column(at, "label", pa.array([1] * 160 + [7] * 10))
    pq.write_table(table, shards[0], row_group_size=50)
    for ask in (
        lambda: parquet.read_many(shards, StepLabel),
        lambda: parquet.Rows(shards, StepLabel)[160],
    ):
        with pytest.raises(UserError, match="row 160 is not a StepLabel: label"):
            ask()


def test_a_generator_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[StepLabel]:
        yield from labels(400)
        raise UserError("its input ends early", cure="none")

    with pytest.raises(UserError, match="ends early"):
        parquet.write(failing(), tmp_path / "a.parquet", StepLabel)
    assert list(tmp_path.iterdir()) == []
