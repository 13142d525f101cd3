"""What is answered stays answered: a stage stopped at any moment, and what its next start does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.ledger.asked import BATCHES, SAMPLES, Engine, answered, run, stop_in, stopped
from vlprm.errors import UserError
from vlprm.io import manifest, parquet
from vlprm.ledger import book, running
from vlprm.ledger.file import ledger_of
from vlprm.records import Grade


def test_one_run_asks_each_batch_once(out: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    with caplog.at_level(logging.INFO):
        run(out, engine)
    assert (engine.starts, engine.asked) == (1, [1, 2, 3])
    assert [item.rollout_id for item in parquet.read(out, Grade)] == [item.id for item in SAMPLES]
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "grades.parquet", "grades.parquet.ledger", "grades.parquet.manifest.json",
        "grades.parquet.timing.json",
    ]  # fmt: skip
    assert "grade: batch 2 of 3 done, 8 of 11 questions" in caplog.text


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_rerun_asks_for_the_rest_only(
    out: Path, whole: bytes, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    stopped(out, number)
    assert answered(out) == number - 1
    engine = Engine()
    with caplog.at_level(logging.INFO):
        assert run(out, engine) == whole
    assert engine.asked == [1, 2, 3][number - 1 :]
    assert f"({number - 1} of 3 batches from the ledger)" in caplog.text


def test_what_a_killed_run_left_of_its_output_goes(out: Path) -> None:
    left = out.with_name(f".{out.name}.x7k2.tmp")
    other = out.with_name(".other.parquet.x7k2.tmp")
    left.touch()
    other.touch()
    run(out, Engine())
    assert not left.exists()
    assert other.exists()


def test_the_manifest_does_not_tell_how_often_a_run_was_killed(out: Path, tmp_path: Path) -> None:
    stopped(out, 3)
    run(out, Engine())
    run(tmp_path / "whole" / "grades.parquet", Engine())
    one, two = (
        json.loads(path.with_name("grades.parquet.manifest.json").read_text())
        for path in (out, tmp_path / "whole" / "grades.parquet")
    )
    assert one == two
    assert ledger_of(out).read_bytes() == ledger_of(tmp_path / "whole/grades.parquet").read_bytes()


def test_stopped_between_output_and_manifest_no_engine_is_started(
    out: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "write_manifest", lambda *_, **__: stop_in(0, SystemExit)(0))
        with pytest.raises(SystemExit):
            run(out, Engine())
    out.unlink()  # as Snakemake does before it tries again
    engine = Engine()
    assert run(out, engine) == whole
    assert engine.starts == 0


def test_another_question_is_another_call(out: Path) -> None:
    stopped(out, 3)
    changed = [SAMPLES[0].model_copy(update={"id": "another"}), *SAMPLES[1:4]]
    engine = Engine()
    with pytest.raises(ValueError, match="another"):
        run(out, engine, [changed, *BATCHES[1:]])  # the scripted engine knows no such batch
    assert engine.starts == 1


def test_a_shard_without_questions_starts_no_engine(out: Path) -> None:
    engine = Engine()
    run(out, engine, [])
    assert engine.starts == 0
    assert parquet.read(out, Grade) == []
    assert not ledger_of(out).exists()


def down(count: int, fail: int) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number == 2:
            book.refuse_all_failed(["APIConnectionError"] * fail + [None] * (count - fail))

    return before


def test_a_call_without_any_answer_is_no_result(out: Path, whole: bytes) -> None:
    for _ in range(running.DEATHS + 1):
        engine = Engine()
        engine.before = down(8, 8)
        with pytest.raises(UserError) as told:
            run(out, engine)
    said = str(told.value)
    assert f"all 4 requests of batch 2 of 3 failed (4 questions ({SAMPLES[4].id}" in said
    assert "the first: APIConnectionError" in said
    assert "1 answered calls are in the ledger" in said
    engine = Engine()
    assert run(out, engine) == whole
    assert engine.asked == [2, 3]


@pytest.mark.parametrize(("count", "fail"), [(8, 7), (1, 1), (7, 7), (0, 0)])
def test_failures_of_single_requests_are_values(
    out: Path, whole: bytes, count: int, fail: int
) -> None:
    engine = Engine()
    engine.before = down(count, fail)
    assert run(out, engine) == whole
