"""Files of solutions: JSON lines of image, question and steps in, of scores out.

A row: ``image`` (path, beside the file) or ``images`` (paths), ``question``, and either ``steps``
(a list of texts) or ``solution`` (a text, split as the layout says); ``id`` is optional. Whatever
else a row holds comes back with its scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlprm.errors import UserError
from vlprm.importing import field, place_of, read_jsonl, text
from vlprm.prm.aggregate import AGGREGATIONS
from vlprm.scoring.model import Scored, Solution
from vlprm.solutions.steps import Layout, StepParseError, split

PROBABILITIES = ("min", "mean", "product", "last", "max")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file: its solution, or why it cannot be scored."""

    data: dict[str, Any]
    solution: Solution | None
    error: str | None


def read_rows(path: Path, layout: Layout) -> Iterator[Row]:
    """Rows in order. A solution that does not follow its layout is a row with an error.

    Raises UserError, naming the line, for a malformed row, and one without image or question.
    """
    for number, data in read_jsonl(path):
        where = f"{path}:{number}"
        named = data.get("id", f"line {number}")
        question = text(data, "question", where)
        images = tuple(_image(name, path.parent, where) for name in _names(data, where))
        try:
            steps = _steps(data, layout, where)
        except StepParseError as error:
            yield Row(data, None, f"no steps: {error.reason}")
            continue
        yield Row(data, Solution(images, question, steps, f"{where} ({named})"), None)


def scored_line(row: Row, scored: Scored | None) -> str:
    """The row with ``scores``: p(+) per step, of the whole, and each aggregation; or ``error``."""
    if scored is None:
        return json.dumps(row.data | {"scores": None, "error": row.error}, ensure_ascii=False)
    scores = {
        "steps": [round(value, 6) for value in scored.plus],
        "whole": round(scored_whole(scored), 6),
        **{name: round(AGGREGATIONS[name](scored.steps), 6) for name in PROBABILITIES},
    }
    return json.dumps(row.data | {"scores": scores, "error": None}, ensure_ascii=False)


def scored_whole(scored: Scored) -> float:
    """p(+) of the solution read as one step."""
    return AGGREGATIONS["last"]([scored.whole])


def _names(data: Mapping[str, Any], where: str) -> list[str]:
    if "images" not in data:
        return [text(data, "image", where)]
    names = field(data, "images", list, where)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UserError("'images' is not a list of paths", where=where, cure="name its files")
    return names


def _image(name: str, folder: Path, where: str) -> Path:
    path = place_of(folder / name)
    if path is None or not path.is_file():
        raise UserError(
            f"no image {name!r:.120}", where=where, cure="give its path from the file's folder"
        )
    return path


def _steps(data: Mapping[str, Any], layout: Layout, where: str) -> tuple[str, ...]:
    if "steps" not in data:
        if "solution" not in data:
            raise UserError("neither 'steps' nor 'solution'", where=where, cure="give one of them")
        return tuple(step.text for step in split(text(data, "solution", where), layout))
    steps = field(data, "steps", list, where)
    if not all(isinstance(step, str) for step in steps):
        raise UserError("'steps' is not a list of texts", where=where, cure="write texts")
    if not steps or not all(step.strip() for step in steps):
        raise StepParseError("the list is empty, or a step is")
    return tuple(steps)
