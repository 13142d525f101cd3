"""Joins by key: an id that is missing, doubled or foreign is an error that names it.

A table's rows belong to the ids of another table (grades to rollouts, rollouts to questions).
Before the two are joined the ids are compared as columns, so no records need to be in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vlprm.errors import UserError

SHOWN = 3
"""Ids named in a message; the others are counted."""


def match(
    found: pl.DataFrame, wanted: pl.Series, what: str, where: str, *, each: bool = True
) -> None:
    """Check the keys of a table against the ids that its rows belong to.

    ``found``: the key columns of the table, the id that is matched first
    (``rollout_id, step_index``); ``wanted``: the ids, each once; ``what``: the table's rows, for
    people ("grades"); ``where``: its file. With ``each`` every wanted id has at least one row.
    Raises UserError for keys that stand twice, ids that are not wanted and those that are missing.
    """
    ids = found.to_series(0)
    once(wanted, f"ids that {what} belong to", where)
    twice = found.filter(found.is_duplicated())
    if not twice.is_empty():
        rows = twice.unique(maintain_order=True).rows()
        _refuse([_shown(row) for row in rows], f"{what} given twice", where)
    foreign = ids.filter(~ids.is_in(wanted.implode()))
    if not foreign.is_empty():
        _refuse(
            foreign.unique(maintain_order=True).to_list(),
            f"{what} of ids that are not there",
            where,
        )
    if each:
        missing = wanted.filter(~wanted.is_in(ids.implode()))
        if not missing.is_empty():
            _refuse(missing.to_list(), f"ids without {what}", where)


def once(ids: pl.Series, what: str, where: str) -> None:
    """Raise UserError naming the ids that stand twice."""
    twice = ids.filter(ids.is_duplicated())
    if not twice.is_empty():
        _refuse(twice.unique(maintain_order=True).to_list(), f"{what} given twice", where)


def _refuse(ids: Sequence[str], what: str, where: str) -> None:
    more = f" ({len(ids)} in all)" if len(ids) > SHOWN else ""
    raise UserError(
        f"{what}: {', '.join(ids[:SHOWN])}{more}",
        where=where,
        cure="rerun the stages that write these tables, together",
    )


def _shown(row: Sequence[object]) -> str:
    return "/".join(map(str, row))
