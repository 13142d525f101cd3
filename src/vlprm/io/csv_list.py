"""Lists of what a stage could not use, as CSV: nothing vanishes without its reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable


def listing(reasons: Iterable[tuple[str, str]], columns: tuple[str, str] = ("id", "reason")) -> str:
    """Two columns: what, and why it could not be used."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(reasons)
    return buffer.getvalue()
