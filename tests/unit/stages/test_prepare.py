"""Rows as people have them through the prepare stage: read, or refused in one message."""

from __future__ import annotations

import importlib
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vlprm.config.data import FileData
from vlprm.config.slices.prepare import PrepareSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.records import Sample
from vlprm.stages import prepare

ROOT = Path(__file__).resolve().parents[3]
CASES = json.loads((ROOT / "tests" / "cases" / "stored_rows.json").read_text(encoding="utf-8"))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``bench/rows_fuzz.py``, with what it imports beside it."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    for name in ("rows_fuzz", "damaged", "report"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("rows_fuzz")


def png(width: int = 32, height: int = 24) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 50).save(file, "PNG")
    return file.getvalue()


def prepared(kind: str, path: Path, picture: bytes) -> Sample:
    """The first of the three rows."""
    (path.parent / "a.png").write_bytes(picture)
    described: dict[str, Any] = {"kind": kind, "path": str(path), "n": 3, "shard_size": 3}
    data = FileData(**described)
    config = PrepareSlice(dataset="d", shard="000", data=data, start=0, stop=3, rows_sha256=None)
    prepare.run(config, path.parent / "s.parquet", path.parent / "i.parquet")
    return parquet.read(path.parent / "s.parquet", Sample)[0]


def write(case: dict[str, Any], rows: list[dict[str, Any]], folder: Path) -> Path:
    """The case's file: as the kind is published, its first row changed."""
    rows[0].update(case.get("set", {}))
    for row in rows:
        row.pop("decoded_image", None)
        row.pop(case.get("drop"), None)
    if case["kind"] == "mmmu-table":
        named = dict([case["rename"]] if "rename" in case else [])
        head = "\t".join(named.get(name, name) for name in rows[0])
        path, text = folder / "rows.tsv", "\n".join([head, *("\t".join(r.values()) for r in rows)])
    else:
        lines = [json.dumps(row, ensure_ascii="latin" not in case) for row in rows]
        if depth := case.get("nested", 0):
            lines[0] = lines[0][:-1] + f', "caption": {"[" * depth}{"]" * depth}}}'
        if digits := case.get("digits", 0):
            lines[0] = lines[0][:-1] + f', "extra": {"7" * digits}}}'
        path, text = folder / "rows.jsonl", "\n".join(lines)
    mark = b"\xef\xbb\xbf" if case.get("mark") else b""
    path.write_bytes(mark + text.encode("latin-1" if "latin" in case else "utf-8"))
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["note"])
def test_rows(case: dict[str, Any], bench: ModuleType, tmp_path: Path) -> None:
    picture = png()
    path = write(case, bench.data.rows(case["kind"], picture), tmp_path)
    kind = case["kind"].removesuffix("-table")
    if "says" not in case:
        found = prepared(kind, path, picture).model_dump(mode="json")
        expected = case.get("is", {})
        assert {name: found[name] for name in expected} == expected
        return
    with pytest.raises(UserError, match=case["says"]) as refused:
        prepared(kind, path, picture)
    line, cure = str(refused.value).splitlines()
    assert line.startswith(f"{path}:")
    assert line.removeprefix(f"{path}:")[0] in "12"
    assert cure.startswith("  -> ")
    assert not list(tmp_path.glob("*.parquet*"))


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (png(1200, 5), "1200x5 pixels is too narrow"),
        (png()[:500], "truncated"),
        (b"text", "of no known format"),
    ],
)
def test_an_image_no_model_can_be_shown(picture: bytes, said: str, tmp_path: Path) -> None:
    rows = [{"uid": str(k), "image": "a.png", "question": "?", "answer": "1"} for k in range(3)]
    path = write({"kind": "vqav2"}, rows, tmp_path)
    with pytest.raises(UserError) as refused:
        prepared("vqav2", path, picture)
    assert str(refused.value).startswith(f"{path}:1, question d/0, image a.png: ")
    assert said in str(refused.value)


@pytest.mark.parametrize("kind", ["images", "jsonl", "tsv", "parquet"])
def test_damaged_files_leave_no_traceback(kind: str, bench: ModuleType, tmp_path: Path) -> None:
    if kind == "images":
        found = bench.fuzz_images(180, seed=1)
    else:
        found = bench.fuzz_rows(kind, 60, seed=1, folder=tmp_path)
    assert not found.faults, found.faults[0]
    assert min(found.counts["read"], found.counts["refused"]) > 10, "damage does some harm"


def test_the_fuzz_can_fail(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object, **__: object) -> None:
        raise KeyError("index")

    monkeypatch.setattr(prepare, "run", raising)
    assert len(bench.fuzz_rows("tsv", 5, seed=1, folder=tmp_path).faults) == 5


def test_bytes_of_an_ordinary_image_stay(tmp_path: Path) -> None:
    """What the pack holds of an 8-bit RGB image is Pillow's PNG of it, and nothing else."""
    pixels = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    source, expected = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(source, "PNG")
    Image.fromarray(pixels).save(expected, "PNG", compress_level=1)
    rows = [{"uid": str(k), "image": "a.png", "question": "?", "answer": "1"} for k in range(3)]
    prepared("vqav2", write({"kind": "vqav2"}, rows, tmp_path), source.getvalue())
    assert expected.getvalue() in (tmp_path / "i.parquet").read_bytes()
