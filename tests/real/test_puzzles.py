"""All puzzle types as published: every row loads, gold grades right, every other option wrong."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from vlprm.answers.extract import extract_answer
from vlprm.benchmarks import BENCHMARKS, question_text
from vlprm.importing.draft import SampleDraft
from vlprm.io.images import ImageStore
from vlprm.io.pictures import flatten, load
from vlprm.records import Rollout, Sample

SHARED = Path(os.environ.get("VLPRM_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
PUZZLES = SHARED / "data" / "puzzles"
pytestmark = pytest.mark.skipif(not PUZZLES.is_dir(), reason=f"no puzzles under {PUZZLES}")

FOLDERS = {"puzzlevqa": "PuzzleVQA", "algopuzzlevqa": "AlgoPuzzleVQA"}
# AlgoPuzzleVQA drew its options alike in every type: row 0 is B in 14 of 18 types, row 1 D in 17.
LETTERS = {
    "puzzlevqa": {"A": 48, "B": 56, "C": 53, "D": 43},
    "algopuzzlevqa": {"A": 3, "B": 31, "C": 4, "D": 34},
}
OPTIONS = {"puzzlevqa": {3: 40, 4: 160}, "algopuzzlevqa": {2: 4, 4: 68}}
CHANCE = {"puzzlevqa": 0.2667, "algopuzzlevqa": 0.2639}
TYPES = [
    (kind, path.stem)
    for kind, folder in FOLDERS.items()
    for path in sorted((PUZZLES / folder).glob("*.json"))
]


def _drafts(kind: str, puzzle: str) -> list[SampleDraft]:
    path = PUZZLES / FOLDERS[kind] / f"{puzzle}.json"
    return list(BENCHMARKS[kind].drafts(kind, path, first=None, start=0, stop=10**6))


def _all(kind: str) -> list[SampleDraft]:
    root = PUZZLES / FOLDERS[kind]
    return list(BENCHMARKS[kind].drafts(kind, root, first=None, start=0, stop=10**6))


def _answered(sample: Sample, answer: str) -> Rollout:
    text = f"[Reasoning]\nso it is this one\n\n\\boxed{{{answer}}}"
    return Rollout(
        id=f"{sample.id}#000",
        sample_id=sample.id,
        text=text,
        steps=(),
        answer=extract_answer(text, sample),
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        seed=0,
    )


def test_every_type_is_there() -> None:
    assert Counter(kind for kind, _ in TYPES) == {"puzzlevqa": 20, "algopuzzlevqa": 18}


@pytest.mark.parametrize(("kind", "puzzle"), TYPES)
def test_options_and_answers(kind: str, puzzle: str) -> None:
    drafts = _drafts(kind, puzzle)
    lines = (PUZZLES / FOLDERS[kind] / f"{puzzle}.json").read_text(encoding="utf-8").splitlines()
    assert len(drafts) == len(lines) == (10 if kind == "puzzlevqa" else 4)
    grade = BENCHMARKS[kind].grade
    for draft, line in zip(drafts, lines, strict=True):
        raw = json.loads(line)
        sample = draft.to_sample(())
        assert sample.subset == puzzle
        gold = sample.choices[ord(sample.answer) - ord("A")]
        assert gold == str(raw["answer"])
        shown = question_text(sample)
        assert "Answer Yes or No" not in shown
        for number, option in enumerate(sample.choices):
            letter = chr(ord("A") + number)
            assert f"({letter}) {option}" in shown
            expected = letter == sample.answer
            for written in (letter, f"({letter})", option, f"{letter}. {option}"):
                assert grade(sample, _answered(sample, written)).correct is expected, written


@pytest.mark.parametrize("kind", FOLDERS)
def test_histograms(kind: str) -> None:
    drafts = _all(kind)
    assert len({draft.id for draft in drafts}) == len(drafts)
    letters = Counter(draft.answer for draft in drafts)
    options = Counter(len(draft.choices) for draft in drafts)
    assert letters == LETTERS[kind]
    assert options == OPTIONS[kind]
    chance = sum(1 / len(draft.choices) for draft in drafts) / len(drafts)
    assert chance == pytest.approx(CHANCE[kind], abs=5e-5)


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_image_decodes_and_is_stored(kind: str) -> None:
    """One image of each (format, mode, size): large JPEGs, PNG data named .jpg, transparency."""
    seen: set[tuple[str | None, str, tuple[int, int]]] = set()
    store = ImageStore()
    modes = Counter[str]()
    for draft in _all(kind):
        (path,) = draft.images
        assert isinstance(path, Path)
        with Image.open(path) as header:
            key = (header.format, header.mode, header.size)
        modes[key[1]] += 1
        if key in seen:
            continue
        seen.add(key)
        picture = load(path, str(path))
        if max(picture.size) > 1024:
            continue  # decoding is the test; packing 9 megapixels takes a second each
        ref = store.put(picture)
        assert (ref.width, ref.height) == picture.size
        assert store.open(ref).tobytes() == flatten(picture).tobytes()
        assert draft.to_sample((ref,)).images == (ref,)
    formats = {(f, m) for f, m, _ in seen}
    if kind == "puzzlevqa":
        assert formats == {("PNG", "RGB"), ("PNG", "RGBA")}
        assert modes == {"RGB": 190, "RGBA": 10}
    else:
        assert formats == {("JPEG", "RGB"), ("PNG", "RGB")}
        assert max(max(size) for _, _, size in seen) > 3000


def test_first_rows_of_each_type() -> None:
    drafts = list(
        BENCHMARKS["puzzlevqa"].drafts("p", PUZZLES / "PuzzleVQA", first=3, start=5, stop=11)
    )
    assert [draft.id for draft in drafts] == [
        "p/color_grid/2",
        "p/color_hexagon/0",
        "p/color_hexagon/1",
        "p/color_hexagon/2",
        "p/color_number_hexagon/0",
        "p/color_number_hexagon/1",
    ]
