"""RAVEN as the Hub serves it: Parquet of panels and candidates, by configuration and split."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vlprm.errors import UserError
from vlprm.io.pictures import load
from vlprm.sources import SOURCES
from vlprm.sources.raven import QUESTION
from vlprm.sources.raven_panels import GAP, LABEL, Composite
from vlprm.sources.unusable import Unusable

SIDE = 40


def png(shade: int, side: int = SIDE) -> bytes:
    out = io.BytesIO()
    Image.new("L", (side, side), shade).save(out, "PNG")
    return out.getvalue()


def puzzle(number: int, target: int = 2, **other: Any) -> dict[str, Any]:
    """A row of the Hub's schema; panel k has shade 10 k, candidate k shade 100 + 10 k."""
    images = {
        "panels": [{"bytes": png(10 * k + number % 10), "path": None} for k in range(8)],
        "choices": [{"bytes": png(100 + 10 * k), "path": None} for k in range(8)],
    }
    rest = {"structure": [["Scene"] * 8], "metadata": "<Panels/>"}
    return images | {"target": target, "id": number} | rest | other


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    files = {
        "center_single/test-00000-of-00001.parquet": [puzzle(9)],
        "center_single/train-00000-of-00001.parquet": [puzzle(0), puzzle(1, 7)],
        "center_single/validation-00000-of-00001.parquet": [puzzle(0, 1)],
        "distribute_four/train-00000-of-00001.parquet": [puzzle(0, 0)],
    }
    for name, rows in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
    return tmp_path


def found(root: Path) -> list[Any]:
    return list(SOURCES["raven"].questions("raven", root))


def test_all_configurations_without_the_test_split(hub: Path) -> None:
    drafts = found(hub)
    assert [(item.id, item.answer, item.subset) for item in drafts] == [
        ("raven/center_single-train-0", "C", "center_single"),
        ("raven/center_single-train-1", "H", "center_single"),
        ("raven/center_single-validation-0", "B", "center_single"),
        ("raven/distribute_four-train-0", "A", "distribute_four"),
    ]
    assert {item.question for item in drafts} == {QUESTION}
    assert drafts[0].choices == tuple("ABCDEFGH")
    assert drafts[0].where == f"{hub}/center_single/train-00000-of-00001.parquet:0"


def test_the_first_rows_of_each_configuration(hub: Path) -> None:
    drafts = SOURCES["raven"].drafts("raven", hub, first=1, start=0, stop=9)
    assert [item.subset for item in drafts] == ["center_single", "distribute_four"]


def test_one_file_is_taken_whatever_its_split(hub: Path) -> None:
    (draft,) = found(hub / "center_single/test-00000-of-00001.parquet")
    assert draft.id == "raven/center_single-test-9"


def test_every_panel_is_where_it_belongs(hub: Path) -> None:
    picture = found(hub)[0].images[0](load)
    assert picture.mode == "RGB"
    assert picture.size == (4 * SIDE + 5 * GAP, 5 * SIDE + 2 * LABEL + 7 * GAP)
    left = (picture.width - 3 * SIDE - 2 * GAP) // 2
    for k in range(8):
        x, y = left + k % 3 * (SIDE + GAP), GAP + k // 3 * (SIDE + GAP)
        assert picture.getpixel((x + SIDE // 2, y + SIDE // 2)) == (10 * k,) * 3
        top = 3 * (SIDE + GAP) + 2 * GAP + k // 4 * (LABEL + SIDE + GAP)
        x = GAP + k % 4 * (SIDE + GAP)
        assert picture.getpixel((x + SIDE // 2, top + LABEL + SIDE // 2)) == (100 + 10 * k,) * 3
        label = picture.crop((x, top, x + SIDE, top + LABEL))
        assert label.getextrema()[0][0] < 60, "a letter stands above the candidate"
    gap = picture.crop(
        (left + 2 * (SIDE + GAP) + 2, GAP + 2 * (SIDE + GAP) + 2,
         left + 3 * SIDE + 2 * GAP - 2, 3 * (SIDE + GAP) - 2)
    )  # fmt: skip
    assert gap.getextrema()[0] == (0, 255), "a question mark on white"


def test_drawn_twice_it_is_the_same(hub: Path) -> None:
    picture = found(hub)[0].images[0]
    assert picture(load).tobytes() == picture(load).tobytes()
    assert repr(picture) != repr(found(hub)[1].images[0])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (puzzle(1, 8), "target 8 is not a number from 0 to 7"),
        (puzzle(1, target=None), "target None"),
        (puzzle(1, panels=[{"bytes": png(1), "path": None}] * 7), "'panels' is not a list of 8"),
        (puzzle(1, choices=[{"bytes": None, "path": "a.png"}] * 8), "'choices' has no bytes"),
        (puzzle(1, id="seven"), "no 'id'"),
        (puzzle(0), "id 'raven/in-train-0' appeared before"),
    ],
)
def test_unusable_rows(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, rows in enumerate(([puzzle(0)], [row])):
        path = folder / f"train-{number:05}-of-00002.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path)
    good, bad = found(tmp_path)
    assert not isinstance(good, Unusable)
    assert isinstance(bad, Unusable)
    assert said in bad.reason
    assert bad.where == f"{folder}/train-00001-of-00002.parquet:0"


@pytest.mark.parametrize("broken", [b"no image", png(3)[:40]])
def test_a_panel_that_cannot_be_read_is_named(broken: bytes) -> None:
    picture = Composite((png(1),) * 7 + (broken,), (png(2),) * 8, "f.parquet:3")
    with pytest.raises(UserError, match="panel 8"):
        picture(load)


def test_a_panel_of_another_size_is_scaled() -> None:
    same = Composite((png(1),) * 8, (png(2),) * 8, "f")
    other = Composite((png(1),) * 7 + (png(1, 80),), (png(2),) * 8, "f")
    assert same(load).tobytes() == other(load).tobytes()
