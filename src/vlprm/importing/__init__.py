"""Rows of published files: JSON lines, tab-separated values, Parquet; each with its place.

Read strictly and as a stream: a malformed row is an error that names file and row. What is the
same for every format is settled here, once: a byte order mark is no text, a NaN is how data
frames write "nothing" (null), half a surrogate pair is no character (U+FFFD). A row becomes a draft
(:mod:`vlprm.importing.draft`).
"""

from __future__ import annotations

from vlprm.importing.files import files, place_of
from vlprm.importing.json_text import read_jsonl, read_objects
from vlprm.importing.tabular import read_parquet, read_tsv
from vlprm.importing.values import field, optional, text

__all__ = [
    "field",
    "files",
    "optional",
    "place_of",
    "read_jsonl",
    "read_objects",
    "read_parquet",
    "read_tsv",
    "text",
]
