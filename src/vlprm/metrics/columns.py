"""Records as columns: what the metrics compute on, whether given as records or read as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from vlprm.records import Record

Columns = Iterable[Record] | pl.DataFrame
"""Records, or a frame that has (at least) the columns asked for."""

GRADES = {"rollout_id": pl.String, "correct": pl.Boolean, "reason": pl.String}
SEARCHED = {"id": pl.String, "sample_id": pl.String}
SELECTIONS = {
    "sample_id": pl.String,
    "prm": pl.String,
    "strategy": pl.String,
    "aggregation": pl.String,
    "n": pl.Int64,
    "draw": pl.Int64,
    "rollout_id": pl.String,
}
SCORES = {
    "rollout_id": pl.String,
    "step_index": pl.Int64,
    "logit_plus": pl.Float64,
    "logit_minus": pl.Float64,
}
VERDICTS = {"rollout_id": pl.String, "status": pl.String, "first_error": pl.Int64}


def columns_of(rows: Columns, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """The columns of a schema, in its order."""
    if isinstance(rows, pl.DataFrame):
        return rows.select(*schema)
    records = list(rows)
    data = {name: [getattr(item, name) for item in records] for name in schema}
    return pl.DataFrame(data, schema=dict(schema))
