"""Every data set with what it is made of: one byte more is another sha256."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

from vlprm.config.slices.data_versions import DataFacts, DataVersionsSlice
from vlprm.errors import UserError
from vlprm.stages import data_versions


def facts(**of: object) -> DataFacts:
    known = dict.fromkeys(DataFacts.model_fields)
    return DataFacts.model_validate(
        known | {"name": "d", "role": "source", "kind": "vqav2", "questions": 3} | of
    )


def made(folder: Path, *items: DataFacts) -> list[dict[str, str]]:
    table, page = folder / "t.csv", folder / "t.md"
    data_versions.run(DataVersionsSlice(data=items), table, page)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    text = page.read_text()
    assert all(row["name"] in text and row["sha256"] in text for row in rows)
    return rows


def test_files_folders_and_generators(tmp_path: Path) -> None:
    file, folder = tmp_path / "rows.jsonl", tmp_path / "many"
    file.write_text("{}\n")
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(b"a")
    items = [
        facts(name="file", path=str(file), licence="MIT", version="v1.2"),
        facts(name="folder", path=str(folder), role="benchmark",
              origin="https://example.org/data (test)"),
        facts(name="made", kind="matrix", recipe='{"seed": 1}'),
    ]  # fmt: skip
    first, second, third = made(tmp_path, *items)
    assert first["sha256"] == hashlib.sha256(b"{}\n").hexdigest()
    assert (first["licence"], first["version"], first["source"]) == ("MIT", "v1.2", str(file))
    assert (second["licence"], second["version"]) == ("not stated", "not stated")
    assert second["url"] == "https://example.org/data"
    assert third["source"] == "generated"
    (folder / "images" / "b.png").write_bytes(b"")
    again = made(tmp_path, *items)
    assert again[0] == first
    assert again[1]["sha256"] != second["sha256"]
    assert made(tmp_path, facts(recipe='{"seed": 2}'))[0]["sha256"] != third["sha256"]


def test_what_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    item = facts(repo="a/b", revision="0" * 40, repo_type="dataset", path="data")
    with pytest.raises(UserError, match="no listing"):
        made(tmp_path, item)
    assert not (tmp_path / "t.csv").exists()
    listing = tmp_path / "resources" / "data" / "d" / "fetch.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"files": {"data/x": "1" * 64}}))
    (row,) = made(tmp_path, item)
    assert row["url"] == f"https://huggingface.co/datasets/a/b/tree/{'0' * 40}"
    assert (row["revision"], row["source"]) == ("0" * 40, "a/b")
