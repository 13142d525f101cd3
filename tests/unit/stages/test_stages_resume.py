"""Every engine stage on a mini model: stopped in a shard's middle, it ends with the same bytes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.puzzles import SMALL, questions
from tests.workflow.runs import nano
from vlprm.config import slices
from vlprm.config.checked import load_config
from vlprm.engines import recorded
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.ledger.file import LedgerFile
from vlprm.records import Sample, StepEstimate, StepLabel
from vlprm.stages import estimate, judge, label, rollout, score, search

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
    parquet.write(samples, found.samples, Sample, keys={"dataset": "matrix-train", "shard": "000"})
    store.save(found.images)
    _rollout(found, found.rollouts)
    return found


def _rollout(of: Shard, out: Path) -> None:
    config = slices.rollout.of(CONFIG, "small", "matrix-train")
    rollout.run(config, of.samples, of.images, WEIGHTS, out)


def _estimate(of: Shard, out: Path) -> None:
    config = slices.estimate.of(CONFIG, "small")
    estimate.run(config, of.samples, of.images, of.rollouts, [], WEIGHTS, out)


def _estimate_in_rounds(of: Shard, out: Path) -> None:
    config = nano()
    config["labels"]["estimates"]["draw"] = "until_decided"
    verdicts = out.with_name("verdicts.parquet")
    _judge(of, verdicts)
    chosen = slices.estimate.of(load_config(config, "nano.yaml"), "small")
    estimate.run(chosen, of.samples, of.images, of.rollouts, [verdicts], WEIGHTS, out)


def _judge(of: Shard, out: Path) -> None:
    judge.run(slices.judge.of(CONFIG), of.samples, of.images, of.rollouts, out)


def _score(of: Shard, out: Path) -> None:
    config = slices.score.of(CONFIG, "prm-small", "small")
    score.run(config, of.samples, of.images, of.rollouts, WEIGHTS, out)


def _rank(of: Shard, out: Path) -> None:
    score.run(
        slices.score.of_judge(CONFIG, "small"), of.samples, of.images, of.rollouts, WEIGHTS, out
    )


def _search(of: Shard, out: Path) -> None:
    config = slices.search.of(CONFIG, "greedy-2", "small", "prm-small")
    scores = out.with_name("scores.parquet")
    costs = out.with_name("costs.parquet")
    search.run(config, of.samples, of.images, WEIGHTS, WEIGHTS, out, scores, costs)


STAGES: dict[str, tuple[Any, Callable[[Shard, Path], None], str, int, int]] = {
    # its batches hold two questions (estimates: one and more, by continuations), or two rollouts
    "rollout": (rollout, _rollout, "QUESTIONS_PER_BATCH", 2, 3),
    "estimate": (estimate, _estimate, "CONTINUATIONS_PER_BATCH", 50, 3),
    "score": (score, _score, "ROLLOUTS_PER_BATCH", 2, 5),
    "rank": (score, _rank, "ROLLOUTS_PER_BATCH", 2, 5),
    "search": (search, _search, "QUESTIONS_PER_BATCH", 2, 3),
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
    assert f"(0 of {batches} batches from the ledger)" in caplog.text
    append, kept = LedgerFile.append, []

    def killed(self: LedgerFile, key: bytes, body: bytes) -> None:
        if len(kept) == 2:
            raise KeyboardInterrupt
        append(self, key, body)
        kept.append(key)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(LedgerFile, "append", killed)
        run(shard, stopped)
    with caplog.at_level(logging.INFO):
        run(shard, stopped)
    if name != "search":  # where a batch is many calls
        assert f"(2 of {batches} batches from the ledger)" in caplog.text
    assert digests(stopped.parent) == digests(whole.parent)  # the ledgers' bytes among them


def test_with_all_batches_on_disk_no_model_is_read(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.parquet"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(parquet, "write", _stop_at(out))
        _score(shard, out)
    monkeypatch.setattr(recorded, "load_scorer", lambda *_: pytest.fail("an engine was started"))
    _score(shard, out)
    assert out.exists()


@pytest.mark.parametrize("name", [*STAGES, "judge"])
def test_a_foreign_image_pack_is_refused_where_all_is_in_the_ledger(
    name: str, shard: Shard, tmp_path: Path
) -> None:
    run = _judge if name == "judge" else STAGES[name][1]
    out = tmp_path / "out.parquet"
    run(shard, out)
    foreign = tmp_path / "foreign.parquet"
    questions(1)[1].save(foreign)
    out.unlink()
    with pytest.raises(UserError, match="is in none of the packs given") as told:
        run(replace(shard, images=foreign), out)
    assert told.value.where == str(foreign)
    foreign.write_text("no pack")
    with pytest.raises(UserError, match=r"foreign\.parquet"):
        run(replace(shard, images=foreign), out)
    assert not out.exists()


def test_estimates_in_rounds_label_as_all_of_them_do(shard: Shard, tmp_path: Path) -> None:
    whole, rounds = tmp_path / "whole" / "e.parquet", tmp_path / "rounds" / "e.parquet"
    _estimate(shard, whole)
    _estimate_in_rounds(shard, rounds)
    found = []
    for estimates in (whole, rounds):
        verdicts = rounds.with_name("verdicts.parquet")
        labels, dropped = (estimates.with_name(name) for name in ("l.parquet", "dropped.csv"))
        config = slices.label.of(CONFIG)
        label.run(config, shard.rollouts, [estimates], [verdicts], [], labels, dropped)
        found.append((parquet.read(labels, StepLabel), dropped.read_text()))
    assert found[0] == found[1]
    drawn = [
        sum(item.n_graded + item.n_failed for item in parquet.read(path, StepEstimate))
        for path in (whole, rounds)
    ]
    assert 0 < drawn[1] < drawn[0] / 2


def _stop_at(out: Path) -> Callable[..., int]:
    write = parquet.write

    def stopping(records: Any, path: Path, record: Any, **keys: Any) -> int:
        if path == out:
            raise KeyboardInterrupt
        return write(records, path, record, **keys)

    return stopping
