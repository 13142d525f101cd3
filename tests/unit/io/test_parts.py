"""What is done stays done: a stage stopped at any moment, and what its next start does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.io.graded import BATCHES, SAMPLES, Engine, names, run, stop_in, stopped
from vlprm.errors import UserError
from vlprm.io import manifest, parts, running, tables
from vlprm.io.manifest import recorded
from vlprm.records import Grade


def test_one_run_asks_each_batch_once_and_clears_up(
    out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine()
    with caplog.at_level(logging.INFO):
        run(out, engine)
    assert (engine.starts, engine.asked) == (1, [1, 2, 3])
    assert [item.rollout_id for item in tables.read(out, Grade)] == [item.id for item in SAMPLES]
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "grades.parquet", "grades.parquet.manifest.json", "grades.parquet.timing.json",
    ]  # fmt: skip
    assert "grade: batch 2 of 3 done, 8 of 11 questions" in caplog.text
    assert "grade: 11 graded (0 of 3 batches from disk)" in caplog.text


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_rerun_asks_for_the_rest_only(
    out: Path, whole: bytes, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    stopped(out, number)
    assert [name[:4] for name in names(out)] == ["0001", "0002", "0003"][: number - 1]
    engine = Engine()
    with caplog.at_level(logging.INFO):
        assert run(out, engine) == whole
    assert (engine.starts, engine.asked) == (1, [1, 2, 3][number - 1 :])
    assert f"({number - 1} of 3 batches from disk)" in caplog.text
    assert names(out) == []


def test_the_manifest_does_not_tell_how_often_a_run_was_killed(out: Path, tmp_path: Path) -> None:
    stopped(out, 3)
    run(out, Engine())
    run(tmp_path / "whole" / "grades.parquet", Engine())
    one, two = (
        json.loads(path.with_name("grades.parquet.manifest.json").read_text())
        for path in (out, tmp_path / "whole" / "grades.parquet")
    )
    assert one == two


def test_stopped_between_output_and_manifest_no_engine_is_started(
    out: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(manifest, "write_manifest", lambda *_, **__: stop_in(0, SystemExit)(0))
        with pytest.raises(SystemExit):
            run(out, Engine())
    assert len(names(out)) == 3
    out.unlink()  # as Snakemake does before it tries again
    engine = Engine()
    assert run(out, engine) == whole
    assert engine.starts == 0


def test_stopped_while_the_parts_are_removed_the_rest_is_done_again(
    out: Path, whole: bytes
) -> None:
    stopped(out, 3)
    next(parts.folder_of(out).iterdir()).unlink()
    assert run(out, Engine()) == whole


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes().replace(SAMPLES[0].id.encode(), b"?", 1)),
    ],
    ids=["torn", "empty", "changed"],
)
def test_a_damaged_part_is_done_again(
    out: Path, whole: bytes, damage: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    stopped(out, 3)
    damage(sorted(parts.folder_of(out).glob("0001-*"))[0])
    engine = Engine()
    assert run(out, engine) == whole
    assert engine.asked == [1, 3]
    lines = [item for item in caplog.records if "damaged, done again: 0001-" in item.getMessage()]
    assert len(lines) == 1


def test_other_settings_read_no_old_part(out: Path, caplog: pytest.LogCaptureFixture) -> None:
    stopped(out, 3)
    engine = Engine()
    engine.before = stop_in(2, KeyboardInterrupt)
    with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
        run(out, engine, temperature=1)
    assert engine.asked == [1, 2]
    assert "grade: removed 2 parts of other inputs or settings" in caplog.text
    assert [name[:4] for name in names(out)] == ["0001"]


def test_a_changed_question_makes_its_own_batch_anew(out: Path) -> None:
    stopped(out, 3)
    changed = [SAMPLES[0].model_copy(update={"question": "another?"}), *SAMPLES[1:4]]
    engine = Engine()
    run(out, engine, [changed, *BATCHES[1:]])
    assert engine.asked == [1, 3]


def test_what_else_an_answer_reads_is_in_its_key(out: Path) -> None:
    """Rollouts of one shard may be read beside samples that changed."""
    seen: list[set[str]] = []
    for answer in ("A", "B"):
        beside = SAMPLES[0].model_copy(update={"answer": answer, "choices": ("x", "y")})
        engine = Engine()
        with recorded("grade", 1, {}, inputs=[], outputs=[out]) as counts:
            parts.made(
                counts, BATCHES, Grade, "questions", load=engine.load, ask=engine.ask,
                reads=lambda item, beside=beside: (beside, item),
            )  # fmt: skip
            seen.append(set(names(out)))
            tables.write([], out, Grade)
    assert len(seen[0]) == len(seen[1]) == 3
    assert not seen[0] & seen[1]


@pytest.mark.parametrize("fact", ["versions", "platform_of"])
def test_parts_of_other_packages_or_processors_are_not_mixed_in(
    out: Path, fact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(out, 3)

    class Elsewhere:
        name = "another-platform"

    changed: dict[str, Any] = {"versions": dict, "platform_of": lambda config: Elsewhere()}
    monkeypatch.setattr(manifest, fact, changed[fact])
    engine = Engine()
    engine.before = stop_in(3, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(out, engine)
    assert engine.asked == [1, 2, 3]


def test_a_shard_without_questions_starts_no_engine(out: Path) -> None:
    engine = Engine()
    run(out, engine, [])
    assert engine.starts == 0
    assert tables.read(out, Grade) == []


def down(count: int, fail: int) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number == 2:
            parts.refuse_all_failed(["APIConnectionError"] * fail + [None] * (count - fail))

    return before


def test_a_batch_without_any_answer_is_no_result(out: Path, whole: bytes) -> None:
    for _ in range(running.DEATHS + 1):
        engine = Engine()
        engine.before = down(8, 8)
        with pytest.raises(UserError) as told:
            run(out, engine)
    said = str(told.value)
    assert f"all requests of batch 2 of 3 failed (4 questions ({SAMPLES[4].id}" in said
    assert "the first: APIConnectionError" in said
    assert "1 of 3 batches are safe on disk" in said
    assert [name[:4] for name in names(out)] == ["0001"]
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
