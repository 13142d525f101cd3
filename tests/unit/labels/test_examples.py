"""Conversations that a rehearsal trains on."""

from __future__ import annotations

from vlprm.labels.examples import longest_repeated
from vlprm.records import ImageRef, PRMExample


def example(name: str, length: int, side: int = 28) -> PRMExample:
    ref = ImageRef(sha256="0" * 64, width=side, height=side)
    return PRMExample(
        rollout_id=name, images=(ref,), system="", question="", steps=("x" * length,), labels=(1,)
    )


def test_the_longest_until_the_batches_are_full() -> None:
    given = [example("a", 96), example("b", 196), example("c", 96, side=280), example("d", 8)]
    found, ratio = longest_repeated(given, 5)
    assert [item.rollout_id for item in found] == ["c~0", "b~0", "c~1", "b~1", "c~2"]
    mean = (100 + 200 + 496 + 12) / 4
    assert ratio == (3 * 496 + 2 * 200) / 5 / mean


def test_fewer_are_wanted_than_there_are() -> None:
    found, _ = longest_repeated([example("a", 1), example("b", 2)], 1)
    assert [item.rollout_id for item in found] == ["b~0"]
    assert longest_repeated([], 3) == ([], 1.0)
