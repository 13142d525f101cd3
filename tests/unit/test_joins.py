"""Joins by key: missing, doubled and foreign ids are named."""

from __future__ import annotations

import polars as pl
import pytest

from vlprm.errors import UserError
from vlprm.joins import match

IDS = pl.Series("id", ["a", "b", "c", "d", "e"])


def rows(*keys: tuple[str, int]) -> pl.DataFrame:
    schema = {"rollout_id": pl.String, "step_index": pl.Int64}
    return pl.DataFrame(keys, schema=schema, orient="row")


WHOLE = [(name, step) for name in IDS for step in range(2)]


def test_a_whole_table_matches_in_any_order() -> None:
    match(rows(*WHOLE), IDS, "scores", "s.parquet")
    match(rows(*WHOLE[::-1]), IDS, "scores", "s.parquet")
    match(rows(*WHOLE[:2]), IDS, "scores", "s.parquet", each=False)
    match(rows(), pl.Series("id", [], dtype=pl.String), "scores", "s.parquet")


def test_wrong_ids_are_named_and_counted() -> None:
    for found, wanted, said in (
        (rows(*WHOLE, ("a", 1)), IDS, "s.parquet: scores given twice: a/1"),
        (rows(*WHOLE, ("x", 0), ("x", 1)), IDS, "scores of ids that are not there: x"),
        (rows(*WHOLE[:2]), IDS, r"ids without scores: b, c, d \(4 in all\)"),
        (rows(), IDS, r"ids without scores: a, b, c \(5 in all\)"),
        (rows(*WHOLE), pl.concat([IDS, IDS[:1]]), "ids that scores belong to given twice: a"),
    ):
        with pytest.raises(UserError, match=said):
            match(found, wanted, "scores", "s.parquet")
