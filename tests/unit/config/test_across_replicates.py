"""Trainings are alike where their checkpoints would be, however the recipe is written."""

from __future__ import annotations

from typing import Any

import pytest

from vlprm.config import across


def _told(**other: Any) -> list[str]:
    recipe = {"learning_rate": 1e-3, "seed": 100}
    prm = {"source": "build", "base": "small"}
    data = {
        "training": {"a": recipe, "b": recipe | {"seed": 101} | other},
        "prms": {name: prm | {"training": name} for name in ("a", "b")},
        "evaluation": {"prms": ["a", "b"], "replicates": {"both": ["a", "b"]}},
    }
    return [what for loc, what, _ in across.problems(data) if "replicates" in loc]


@pytest.mark.parametrize("other", [{"questions": None}, {"cards": 8}, {"save_minutes": 5.0}])
def test_a_default_that_is_written_and_what_changes_no_byte(other: dict[str, Any]) -> None:
    assert _told(**other) == []


@pytest.mark.parametrize("other", [{"questions": 5}, {"cards": 4}, {"learning_rate": 1e-4}])
def test_another_recipe(other: dict[str, Any]) -> None:
    assert _told(**other) == ["a and b differ in more than training.*.seed"]


@pytest.mark.parametrize("published", [("a",), ("b",), ("a", "b")])
def test_published_prms_have_no_seed_that_is_known(published: tuple[str, ...]) -> None:
    prms = {
        name: {"source": "published", "base": name, "training": None, "question_prompt": "policy"}
        if name in published
        else {"source": "build", "base": "small", "training": "r"}
        for name in ("a", "b")
    }
    data = {
        "training": {"r": {"seed": 1}},
        "prms": prms,
        "evaluation": {"prms": ["a", "b"], "replicates": {"both": ["a", "b"]}},
    }
    (said,) = [(what, cure) for loc, what, cure in across.problems(data) if "replicates" in loc]
    what = f"{published[0]} is published, and the seed of its training is not known"
    assert said == (
        what,
        "pool PRMs that the run trains (source: build), or leave the group out",
    )
