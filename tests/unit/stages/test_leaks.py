"""The leak check from samples to the page: planted copies are in the table, with their places."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.unit.leaks.pictures import encoded, picture, scaled
from vlprm.config.slices.leaks import FingerprintSlice, LeaksSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.leaks.search import Kind, LeakHit
from vlprm.records import Sample
from vlprm.stages import fingerprint, leaks

IGNORED = FingerprintSlice(ignore=("answer in one word",))


def shard(folder: Path, dataset: str, number: int, *rows: tuple[str, Image.Image]) -> Path:
    """Fingerprints of one shard of questions with one image each."""
    store = ImageStore()
    samples = [
        Sample(id=f"{dataset}/{number}/{k}", question=question, images=(store.put(image),),
               answer="1", answer_type="integer")
        for k, (question, image) in enumerate(rows)
    ]  # fmt: skip
    keys = {"dataset": dataset, "shard": f"{number:03d}"}
    base = folder / dataset / f"{number:03d}"
    table, pack, found = (base.with_name(f"{base.name}.{end}") for end in ("s", "i", "parquet"))
    parquet.write(samples, table, Sample, keys=keys)
    store.save(pack)
    fingerprint.run(IGNORED, table, pack, found)
    return found


@pytest.fixture
def prints(tmp_path: Path) -> dict[str, list[Path]]:
    copy = encoded(scaled(picture(2), 0.7), 80)
    return {
        "sources": [
            shard(tmp_path, "s", 0, ("How many?", picture(20)), ("How many?", copy)),
            shard(tmp_path, "s", 1, ("What is in 1? Answer in one word.", picture(1))),
            shard(tmp_path, "t", 0, ("what is in 2", picture(21))),
        ],
        "benchmarks": [
            shard(tmp_path, "b", 0, *((f"What is in {k}?", picture(k)) for k in range(5))),
            shard(tmp_path, "c", 0, ("Why?", picture(30))),
        ],
    }


CONFIG = LeaksSlice(
    sources=(("s", 2), ("t", 1)), benchmarks=(("b", 1), ("c", 1)), tolerance=16, drop=("pixels",)
)


def test_planted_leaks(prints: dict[str, list[Path]], tmp_path: Path) -> None:
    hits, page = tmp_path / "hits.parquet", tmp_path / "leaks.md"
    # lists may have any order: shards are found by their keys
    leaks.run(CONFIG, prints["sources"][::-1], prints["benchmarks"][::-1], hits, page)
    found = parquet.read(hits, LeakHit)
    assert [(hit.sample_id, hit.kind, hit.benchmark, hit.example) for hit in found] == [
        ("s/0/1", Kind.NEAR, "b", "b/0/2"),
        ("s/1/0", Kind.PIXELS, "b", "b/0/1"),
        ("s/1/0", Kind.QUESTION, "b", "b/0/1"),
        ("s/1/0", Kind.QUESTION_AND_IMAGE, "b", "b/0/1"),
        ("t/0/0", Kind.QUESTION, "b", "b/0/2"),
    ]
    text = page.read_text(encoding="utf-8")
    assert "| s | 3 | b | 1 | 1 | 1 | 1 |" in text
    assert "| t | 1 | b | 0 | 0 | 1 | 0 |" in text
    assert "| s | 3 | c | 0 | 0 | 0 | 0 |" in text
    assert "- `s/0/1`: `b/0/2`, " in text
    assert "Left out of the training: pixels." in text
    again = tmp_path / "again.parquet"
    leaks.run(CONFIG, prints["sources"], prints["benchmarks"], again, tmp_path / "again.md")
    assert again.read_bytes() == hits.read_bytes()


def test_a_missing_shard_is_told(prints: dict[str, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 missing: dataset s, shard 001"):
        leaks.run(CONFIG, [prints["sources"][0], prints["sources"][2]], prints["benchmarks"],
                  tmp_path / "hits.parquet", tmp_path / "leaks.md")  # fmt: skip
    assert not (tmp_path / "hits.parquet").exists()
