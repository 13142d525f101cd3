"""A PRM section by section: does it find errors of perception, and errors of reasoning?

A solution seen in one section is the steps of that section whose truth is known. An error of
perception leaves nothing known of the reasoning; one of reasoning says that all perception steps
are right. So each section is a set of solutions of its own, measured as the whole is (step F1,
first-error F1, AUROC): the paper's process benchmark for perception, made of a run's own
candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from vlprm.metrics.step_f1 import Judged
from vlprm.records import Section


def sections_of(solutions: pl.DataFrame) -> dict[str, list[str]]:
    """Section of every step by rollout id, from the columns ``id`` and ``steps``."""
    named = pl.col("steps").list.eval(pl.element().struct.field("section"))
    return dict(solutions.select("id", named).iter_rows())


def within(
    judged: Sequence[Judged], sections: Mapping[str, Sequence[str]], section: Section
) -> list[Judged]:
    """The solutions in one section; those of which no step in it is known are left out."""
    found = []
    for item in judged:
        known = len(item.plus) if item.first_error is None else item.first_error + 1
        places = [
            index
            for index, name in enumerate(sections[item.rollout_id][:known])
            if name == section.value
        ]
        if not places:
            continue
        error = places.index(item.first_error) if item.first_error in places else None
        plus = tuple(item.plus[index] for index in places)
        found.append(Judged(item.rollout_id, plus, error))
    return found
