"""Subsets of conversations: what stays of each source."""

from __future__ import annotations

import pytest

from vlprm.labels.subsets import by_source, in_subset, sizes
from vlprm.records import Section

SEEN, THOUGHT = Section.PERCEPTION, Section.REASONING


@pytest.mark.parametrize(
    ("counts", "caps", "weights", "wanted"),
    [
        ({"a": 10, "b": 4}, {}, {}, {"a": 10, "b": 4}),
        ({"a": 10, "b": 4}, {"a": 6}, {}, {"a": 6, "b": 4}),
        ({"a": 10, "b": 4}, {"b": 6}, {}, {"a": 10, "b": 4}),
        ({"a": 10, "b": 4}, {}, {"a": 0.5, "b": 0.5}, {"a": 4, "b": 4}),
        ({"a": 10, "b": 4}, {}, {"a": 2, "b": 1}, {"a": 8, "b": 4}),
        ({"a": 10, "b": 4, "c": 7}, {}, {"a": 2, "b": 1}, {"a": 8, "b": 4, "c": 7}),
        ({"a": 10, "b": 4, "c": 7}, {"b": 2}, {"a": 2, "b": 1, "c": 0}, {"a": 4, "b": 2, "c": 0}),
        ({"a": 30, "b": 30}, {}, {"a": 0.1, "b": 0.1}, {"a": 30, "b": 30}),
        ({"a": 3, "b": 0}, {}, {"a": 1, "b": 1}, {"a": 0, "b": 0}),
        ({}, {}, {"a": 1}, {}),
    ],
)
def test_sizes(
    counts: dict[str, int], caps: dict[str, int], weights: dict[str, float], wanted: dict[str, int]
) -> None:
    assert sizes(counts, caps, weights) == wanted


def test_subsets_of_one_rollout() -> None:
    sections = [SEEN, SEEN, THOUGHT, THOUGHT]
    assert in_subset("all", sections, [1, 0]) == (1, 0)
    assert in_subset("no_perception", sections, [1, 1, 1, 0]) == (None, None, 1, 0)
    assert in_subset("no_perception", sections, [1, 0]) == (None, None)
    assert in_subset("reasoning_errors", sections, [1, 0]) is None
    assert in_subset("reasoning_errors", sections, [1, 1, 0, None]) == (1, 1, 0, None)
    assert in_subset("reasoning_errors", sections, [1, 1, 1, 1]) == (1, 1, 1, 1)


def test_a_rollout_belongs_to_the_source_that_its_id_begins_with() -> None:
    assert by_source(["a/1/p#000", "b/1/2/p#000", "a/2/p#001"]) == {
        "a": ["a/1/p#000", "a/2/p#001"],
        "b": ["b/1/2/p#000"],
    }
