"""Rows are drawn as the published notebooks drew them, in any shard the same ones."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from vlprm.config.data import FileData, RowSampling
from vlprm.errors import UserError
from vlprm.sources import SOURCES
from vlprm.sources.sampling import sampled

# question k asks about image k // 2, and there are seven different questions
ROWS = [
    {"uid": f"u{k}", "image": f"{k // 2}.png", "question": f"How many {k % 7}?", "answer": str(k)}
    for k in range(20)
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for k in range(10):
        Image.new("RGB", (8, 8), (k, k, k)).save(tmp_path / f"{k}.png")
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def drawn(corpus: Path, unique: str | None, size: int, *parts: int) -> list[str]:
    sampling = RowSampling.model_validate({"unique": unique, "seed": 42, "size": size})
    found: list[str] = []
    for start, stop in pairwise(parts):
        rows = sampled(SOURCES["vqav2"], "s", corpus, sampling, start=start, stop=stop)
        found += [item.id for item in rows]
    return found


@pytest.mark.parametrize(
    ("unique", "kept"),
    [(None, range(20)), ("image", range(0, 20, 2)), ("question", range(7))],
)
def test_the_published_draw(corpus: Path, unique: str | None, kept: range) -> None:
    random.seed(42)  # the notebooks' own two lines
    wanted = [f"s/u{k}" for k in random.sample(list(kept), 5)]
    assert drawn(corpus, unique, 5, 0, 5) == wanted
    assert drawn(corpus, unique, 5, 0, 2, 4, 5) == wanted  # shard by shard
    assert drawn(corpus, unique, 5, 0, 3) == wanted[:3]  # the first of the drawn


def test_too_few_rows_are_told(corpus: Path) -> None:
    with pytest.raises(UserError, match=r"10 rows of different images, and sampling.size is 11"):
        drawn(corpus, "image", 11, 0, 11)


def test_an_unusable_row_stops_the_draw(corpus: Path) -> None:
    with corpus.open("a") as file:
        file.write(json.dumps({"uid": "bad", "image": "none.png", "question": "?", "answer": "1"}))
    with pytest.raises(UserError, match=r"no image 'none.png'"):
        drawn(corpus, None, 5, 0, 5)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"kind": "mathvista"}, "is a benchmark"),
        ({"first": 3}, "first and sampling"),
        ({"n": 6}, "more than sampling.size"),
    ],
)
def test_a_sampling_that_makes_no_sense(other: dict[str, object], what: str) -> None:
    good = {"kind": "vqav2", "path": "x", "n": 5, "shard_size": 5,
            "sampling": {"unique": "image", "seed": 42, "size": 5}}  # fmt: skip
    assert FileData.model_validate(good).sampling is not None
    with pytest.raises(ValidationError, match=what):
        FileData.model_validate(good | other)
