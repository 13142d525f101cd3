"""JSON lines, read strictly: a malformed line is an error with file and line number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlprm.errors import UserError


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line number from 1, object)``; blank lines are passed over.

    Raises UserError for a missing file, a malformed line, or a line that is not an object.
    """
    if not path.exists():
        raise UserError("no such file", where=str(path), cure="check the path in the config")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(
                    f"malformed JSON line ({error.msg}, column {error.colno})",
                    where=where,
                    cure="write one JSON object a line",
                ) from error
            if not isinstance(row, dict):
                raise UserError(
                    f"expected an object, found {type(row).__name__}",
                    where=where,
                    cure='write one JSON object a line, such as {"question": ...}',
                )
            yield number, row
