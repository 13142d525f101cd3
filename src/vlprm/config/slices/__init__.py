"""Slices: what one rule gets of the configuration, and nothing else.

A slice travels as one JSON argument, so it is part of the rule's params: a change in another
block leaves the rule alone, a change in its own reruns it. Parsing it back checks it again.

One module per stage, named as the stage: its slice, and ``of``, which builds it. They do not lie
beside their stages because rules build them while Snakemake parses; a stage's module would bring
polars, pyarrow and torch along.
"""

from vlprm.config.slices import (
    base,
    costs,
    data_versions,
    engines,
    estimate,
    examples,
    grade,
    import_rollouts,
    judge,
    label,
    label_counts,
    leaks,
    metrics,
    prepare,
    rollout,
    score,
    search,
    select,
    tables,
    train,
)

__all__ = [
    "base",
    "costs",
    "data_versions",
    "engines",
    "estimate",
    "examples",
    "grade",
    "import_rollouts",
    "judge",
    "label",
    "label_counts",
    "leaks",
    "metrics",
    "prepare",
    "rollout",
    "score",
    "search",
    "select",
    "tables",
    "train",
]
