"""Ids of rollouts: who drew stands in them, and the question is read back."""

from __future__ import annotations

from itertools import product

from vlprm.solutions.rollouts import rollout_id, sample_of, searched_by


def test_ids_are_unique_in_a_run_and_name_their_question() -> None:
    assert rollout_id("mathvista/testmini/17", "large", 3) == "mathvista/testmini/17/large#003"
    assert searched_by("beam-4", "large", "prm.1") == "beam-4:large:prm.1"
    policies, prms = ("small", "large"), ("one", "two")
    drawn_by = [*policies, *(searched_by(*names) for names in product(("a", "b"), policies, prms))]
    samples = ("d/1", "d/1/x", "e#1/2")
    ids = {
        rollout_id(sample, name, number): sample
        for sample, name, number in product(samples, drawn_by, (0, 1, 1000))
    }
    assert len(ids) == len(samples) * len(drawn_by) * 3
    assert all(sample_of(name) == sample for name, sample in ids.items())
