"""Sources read from files: each by its own table of cases, and what they all do with bad rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlprm.errors import UserError
from vlprm.sources import SOURCES
from vlprm.sources.unusable import Unusable

TABLES = Path(__file__).resolve().parents[2] / "cases"


def _load() -> list[tuple[str, dict[str, Any]]]:
    tables = {
        kind: json.loads((TABLES / f"{kind}.json").read_text(encoding="utf-8")) for kind in SOURCES
    }
    return [(kind, case) for kind, table in tables.items() for case in table["cases"]]


CASES = _load()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    return tmp_path / "rows.jsonl"


def rows(path: Path, *found: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{k}-{c['note']}" for k, c in CASES])
def test_case(corpus: Path, kind: str, case: dict[str, Any]) -> None:
    (found,) = SOURCES[kind].questions(kind, rows(corpus, case["row"]))
    if "unusable" in case:
        assert isinstance(found, Unusable)
        assert case["unusable"] in found.reason
        assert found.where == f"{corpus}:1"
        return
    assert not isinstance(found, Unusable), found
    for name, value in case["is"].items():
        said = getattr(found, name)
        assert (list(said) if isinstance(said, tuple) else said) == value, name
    assert [Path(str(image)).name for image in found.images] == ["a.png"]


@pytest.mark.parametrize("kind", SOURCES)
def test_table_is_complete(kind: str) -> None:
    own = [case for name, case in CASES if name == kind]
    assert {"is", "unusable"} == {key for case in own for key in ("is", "unusable") if key in case}
    assert any({"id", "answer", "answer_type"} <= case.get("is", {}).keys() for case in own)
    assert any("no image" in case.get("unusable", "") for case in own)


@pytest.mark.parametrize("kind", SOURCES)
def test_an_unusable_row_stops_the_stage(corpus: Path, kind: str) -> None:
    own = [case for name, case in CASES if name == kind]
    good = next(case["row"] for case in own if "is" in case)
    bad = next(case["row"] for case in own if "unusable" in case)
    path = rows(corpus, good, bad)
    (draft,) = SOURCES[kind].drafts(kind, path, first=None, start=0, stop=1)
    assert draft.id.startswith(f"{kind}/")
    with pytest.raises(UserError, match="correct or remove the row"):
        list(SOURCES[kind].drafts(kind, path, first=None, start=0, stop=2))


@pytest.mark.parametrize("kind", SOURCES)
def test_a_repeated_id_names_both_places(corpus: Path, kind: str) -> None:
    good = next(case["row"] for name, case in CASES if name == kind and "is" in case)
    path = rows(corpus, good, good)
    found = list(SOURCES[kind].questions(kind, path))
    assert isinstance(found[1], Unusable)
    assert f"{path}:1" in found[1].reason
