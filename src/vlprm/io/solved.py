"""A shard's questions, their rollouts and what is known of them, as stages of one shard read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vlprm import joins
from vlprm.io import parquet
from vlprm.io.keys import Files, Keys, keys_of
from vlprm.records import Record, Rollout, Sample


@dataclass(frozen=True, slots=True)
class Solved:
    """Questions and rollouts of one shard, joined."""

    keys: dict[str, str]
    """Of the rollouts: dataset, shard, policy; of a search its name and PRM too."""
    questions: dict[str, Sample]
    """By id; each has at least one rollout."""
    solutions: list[Rollout]
    """In file order; each has its question."""


def solved(samples: Path, rollouts: Path, *, or_searched: bool = False, **expected: str) -> Solved:
    """Read a shard and check that questions and rollouts belong together.

    The rollouts have the shard's keys and a policy, and with ``or_searched`` perhaps a search and
    its PRM; ``expected``: values that keys must have. Raises UserError when a table is missing,
    damaged, of another shard or run, and for ids that are missing, doubled or foreign.
    """
    own = keys_of(samples, Sample, "dataset", "shard")
    maybe = ("search", "prm") if or_searched else ()
    free = () if "policy" in expected else ("policy",)
    keys = keys_of(rollouts, Rollout, *free, maybe=maybe, **own, **expected)
    questions = parquet.read(samples, Sample)
    solutions = parquet.read(rollouts, Rollout)
    ids = pl.Series("id", [item.id for item in questions], dtype=pl.String)
    joins.once(ids, "questions", str(samples))
    belongs = {"sample_id": [item.sample_id for item in solutions]}
    belongs["id"] = [item.id for item in solutions]
    found = pl.DataFrame(belongs, schema={"sample_id": pl.String, "id": pl.String})
    joins.once(found["id"], "rollouts", str(rollouts))
    joins.match(found, ids, "rollouts", str(rollouts))
    return Solved(keys, {item.id: item for item in questions}, solutions)


def evidence(
    paths: Sequence[Path], record: type[Record], keys: Keys, rollouts: pl.Series
) -> Sequence[Path]:
    """The table of estimates or verdicts of a shard, or none, checked against the rollouts' ids.

    A rollout or step without evidence is no error: the label rule says what becomes of it. Raises
    UserError for a second table, one of another place, and ids that are doubled or foreign.
    """
    columns = [name for name in ("rollout_id", "step_index") if name in record.model_fields]
    found = Files(paths, record, [keys] if paths else []).of()
    for path in found:
        rows = parquet.frame([path], record, columns)
        joins.match(rows, rollouts, f"rows of {record.__name__}", str(path), each=False)
    return found
