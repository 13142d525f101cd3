"""JSON lists are read item by item, with the errors that reading the whole would give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.importing import json_text

ITEMS = [
    {"id": 1, "text": 'a "quoted" ] } , [ line\n'},
    {},
    {"deep": [{"x": [1, 2.5e-3, None]}], "é": "\N{SNOWMAN}\N{GRINNING FACE}"},
    {"long": "x" * 300},
]


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_items_whatever_the_pieces_read(
    tmp_path: Path, chunk: int, indent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_text, "_CHUNK", chunk)
    file = tmp_path / "a.json"
    for items in (ITEMS, ITEMS[:1], []):
        file.write_text("\n " + json.dumps(items, indent=indent) + "\n\n")
        assert list(json_text.read_objects(file)) == items


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        '[{"a": 1}',
        '[{"a": 1},',
        '[{"a": 1},\n]',
        '[{"a": 1}\n {"b": 2}]',
        '[{"a": 1},\n\n {"b": x}]',
        '[{"a": 1},\n {"b": "cut',
        '[{"a": 1}]\n\n  [2]',
        "nonsense",
    ],
)
def test_malformed_lists_are_told_as_by_reading_the_whole(
    tmp_path: Path, chunk: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_text, "_CHUNK", chunk)
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(json.JSONDecodeError) as whole:
        json.loads(text)
    with pytest.raises(UserError, match="malformed JSON") as found:
        list(json_text.read_objects(file))
    assert f"{file}:{whole.value.lineno}" in str(found.value)
    assert f"column {whole.value.colno})" in str(found.value) or text == '[{"a": 1},\n]'


def test_other_documents(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": 1}')
    with pytest.raises(UserError, match="not a JSON list"):
        list(json_text.read_objects(file))
    file.write_text('[{"a": 1}, 17]')
    with pytest.raises(UserError, match="item 1 is not an object"):
        list(json_text.read_objects(file))
