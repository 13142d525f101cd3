"""The authors' own counts of their data (specification, field 1.2)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files


@cache
def published_counts() -> dict[str, dict[str, int]]:
    """The published counts by kind of source; columns: ``metrics.label_counts.LabelCounts``."""
    text = files("vlprm.config").joinpath("published_counts.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row.pop("kind"): {name: int(n) for name, n in row.items()} for row in rows}
