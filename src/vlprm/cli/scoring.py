"""The command that scores anyone's solutions with a PRM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vlprm.cli.app import for_people

BATCH = 1024
"""Solutions scored at once; progress is told after each."""


@for_people("score-answers")
def score_answers(
    answers: Annotated[Path, typer.Argument(help="JSON lines: image, question, steps or solution")],
    prm: Annotated[Path, typer.Option(help="folder of the PRM's checkpoint")],
    out: Annotated[Path, typer.Option(help="JSON lines: the same rows with their scores")],
    layout: Annotated[
        Literal["blank_lines", "tagged"], typer.Option(help="how a solution shows its steps")
    ] = "blank_lines",
    system: Annotated[
        str | None, typer.Option(help="prompt (name) or text of the system turn of its training")
    ] = None,
    question_prompt: Annotated[
        str | None, typer.Option(help="prompt around a question in its training; none: as it is")
    ] = None,
    gpus: Annotated[int, typer.Option(help="cards; 0: CPU", min=0)] = 0,
) -> None:
    """Score solutions of any model, step by step, with a PRM of a run or a published one."""
    from vlprm.io.atomic import write_text
    from vlprm.progress import chunks
    from vlprm.scoring import VLPRM, Scored
    from vlprm.scoring.answers import read_rows, scored_line

    rows = list(read_rows(answers, layout))  # a row that is wrong is told before a model is loaded
    asked = [row.solution for row in rows if row.solution is not None]
    model = VLPRM.from_pretrained(prm, system=system, question_prompt=question_prompt, gpus=gpus)
    found: list[Scored] = []
    for part in chunks(asked, BATCH):
        found += model.score_all(part)
        typer.echo(f"{len(found):,} of {len(asked):,} solutions scored", err=True)
    scores = iter(found)
    lines = [scored_line(row, next(scores) if row.solution else None) for row in rows]
    write_text(out, "".join(f"{line}\n" for line in lines))
    typer.echo(f"{len(found)} scored, {len(rows) - len(found)} without steps: {out}")
