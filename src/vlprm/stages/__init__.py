"""One stage per rule. A stage reads files, calls the layers below, writes files, counts.

``VERSIONS`` is part of every rule's params: raising a number reruns that stage and all after
it. Each raise has a one-line reason here.

``vlprm STAGE`` is read off the stage's ``run``: each of its parameters is annotated by one of the
aliases here, or by an ``Argument`` of its own; the stage's slice is called ``config``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Argument:
    """What the command line says of one parameter of a stage's ``run``."""

    help: str
    by_position: bool = False
    """Given by its place, for commands that people type; else as ``--name``."""
    least: float | None = None
    """The smallest number allowed."""


In = Annotated[Path, Argument("input file")]
"""A file that is read; ``list[In]``: files, given as one argument, separated by blanks."""
Out = Annotated[Path, Argument("output file, written atomically")]
OutFolder = Annotated[Path, Argument("folder of output files, each written atomically")]

VERSIONS: dict[str, int] = {
    "fetch": 2,  # every file checked; the listing names the revision's files and no others
    "fetch_container": 1,
    "prepare": 3,  # the table carries its keys
    "import_rollouts": 3,  # keys in tables; ids name the policy
    "base": 1,
    "rollout": 3,  # keys in tables; ids name the policy
    "estimate": 3,  # keys in tables; in rounds until a label is decided, where asked
    "judge": 3,  # keys in tables; failed calls stay open
    "judges": 1,
    "label": 2,  # keys in tables; too few graded continuations matter where those lacking could
    "data_versions": 1,
    "label_counts": 1,
    "fingerprint": 1,
    "leaks": 1,
    "examples": 2,  # keys in tables; question and steps in place of rendered turns
    "train": 1,
    "grade": 3,  # keys in tables
    "score": 3,  # the PRM is shown the question that it was trained on
    "search": 4,  # the PRM is shown the question that it was trained on; costs per question
    "select": 3,  # tables are found and joined by their keys
    "metrics": 4,  # trainings that differ in their seed alone are pooled
    "step_metrics": 5,  # also section by section
    "costs": 1,
    "cost_pages": 1,
    "tables": 4,  # the same; searches by name; steps section by section
    "figures": 3,  # the same; searches by name
    "manifest": 1,
    "verify": 1,
    "crate": 1,
}
