"""Every engine stage on a mini model: stopped in a shard's middle, it ends with the same bytes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.puzzles import SMALL, questions
from tests.workflow.runs import nano
from vlprm.config import slices
from vlprm.config.run import load_config
from vlprm.io import parts, tables
from vlprm.records import Sample
from vlprm.stages import estimate, judge, rank, rollout, score, search

CONFIG = load_config(nano(), "nano.yaml")
WEIGHTS = SMALL / "model.safetensors"


@dataclass(frozen=True)
class Shard:
    """Five questions, their images and two rollouts of each."""

    samples: Path
    images: Path
    rollouts: Path


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    folder = tmp_path_factory.mktemp("shard")
    samples, store = questions(5)
    found = Shard(folder / "samples.parquet", folder / "images.parquet", folder / "r.parquet")
    tables.write(samples, found.samples, Sample)
    store.save(found.images)
    _rollout(found, found.rollouts)
    return found


def _rollout(of: Shard, out: Path) -> None:
    config = slices.rollout(CONFIG, "small", "matrix-train")
    rollout.run(config, of.samples, of.images, WEIGHTS, out)


def _estimate(of: Shard, out: Path) -> None:
    config = slices.estimate(CONFIG, "small")
    estimate.run(config, of.samples, of.images, of.rollouts, WEIGHTS, out)


def _judge(of: Shard, out: Path) -> None:
    config = slices.JudgeSlice(judge=CONFIG.labels.judge)
    judge.run(config, of.samples, of.images, of.rollouts, out)


def _score(of: Shard, out: Path) -> None:
    config = slices.score(CONFIG, "prm-small", "small")
    score.run(config, of.samples, of.images, of.rollouts, WEIGHTS, out)


def _rank(of: Shard, out: Path) -> None:
    rank.run(slices.rank(CONFIG, "small"), of.samples, of.images, of.rollouts, WEIGHTS, out)


def _search(of: Shard, out: Path) -> None:
    config = slices.search(CONFIG, "small", "prm-small")
    scores = out.with_name("scores.parquet")
    search.run(config, of.samples, of.images, WEIGHTS, WEIGHTS, out, scores)


STAGES: dict[str, tuple[Any, Callable[[Shard, Path], None], str, int, int]] = {
    # its batches hold two questions (estimates: one and more, by continuations), or two rollouts
    "rollout": (rollout, _rollout, "QUESTIONS_A_BATCH", 2, 3),
    "estimate": (estimate, _estimate, "CONTINUATIONS_A_BATCH", 50, 3),
    "judge": (judge, _judge, "ROLLOUTS_A_BATCH", 2, 5),
    "score": (score, _score, "ROLLOUTS_A_BATCH", 2, 5),
    "rank": (rank, _rank, "ROLLOUTS_A_BATCH", 2, 5),
    "search": (search, _search, "QUESTIONS_A_BATCH", 2, 3),
}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith(".timing.json")
    }


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_goes_on_where_it_was_stopped(
    name: str,
    shard: Shard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    module, run, size, small, batches = STAGES[name]
    whole, stopped = tmp_path / "whole" / "out.parquet", tmp_path / "stopped" / "out.parquet"
    monkeypatch.setattr(module, size, small)
    with caplog.at_level(logging.INFO):
        run(shard, whole)
    assert f"(0 of {batches} batches from disk)" in caplog.text
    keep, kept = parts._Shelf.keep, []

    def killed(*given: Any) -> Path:
        if len(kept) == 2:
            raise KeyboardInterrupt
        kept.append(keep(*given))
        return kept[-1]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(parts._Shelf, "keep", killed)
        run(shard, stopped)
    assert sorted(parts.folder_of(stopped).iterdir()) == kept
    with caplog.at_level(logging.INFO):
        run(shard, stopped)
    assert f"(2 of {batches} batches from disk)" in caplog.text
    assert digests(stopped.parent) == digests(whole.parent)


def test_with_all_batches_on_disk_no_model_is_read(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.parquet"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(tables, "write", _stop_at(out))
        _score(shard, out)
    monkeypatch.setattr(score, "load_scorer", lambda *_: pytest.fail("an engine was started"))
    _score(shard, out)
    assert out.exists()


def _stop_at(out: Path) -> Callable[..., int]:
    write = tables.write

    def stopping(records: Any, path: Path, record: Any) -> int:
        if path == out:
            raise KeyboardInterrupt
        return write(records, path, record)

    return stopping
