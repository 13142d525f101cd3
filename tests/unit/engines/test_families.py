"""The image rule follows the checkpoint's model type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.puzzles import SMALL, Bounds
from vlprm.engines.families import family_of
from vlprm.errors import UserError
from vlprm.records import ImageRef

REF = ImageRef(sha256="0" * 64, width=101, height=57)


def test_qwen_resizes_once() -> None:
    family = family_of(SMALL)
    assert family.size(REF, Bounds()) == (112, 56)
    assert family.processor(Bounds()) == {
        "use_fast": False, "min_pixels": Bounds.min, "max_pixels": Bounds.max,
    }  # fmt: skip


def test_gemma_gets_the_image_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gemma3"}')
    family = family_of(tmp_path)
    assert family.size(REF, Bounds()) == (101, 57)
    assert family.processor(Bounds()) == {"use_fast": False}


def test_an_unknown_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(UserError, match=r"llava(.|\n)*qwen2_5_vl, gemma3"):
        family_of(tmp_path)
    with pytest.raises(UserError, match="unreadable"):
        family_of(tmp_path / "none")
