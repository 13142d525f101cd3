"""The commands of a hand audit: verdicts drawn into a sheet, and the sheet read in again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlprm.cli.app import for_people

Sheet = Annotated[Path, typer.Argument(help="folder of the audit: sheet, images, key")]


@for_people("audit-draw")
def audit_draw(
    results: Annotated[Path, typer.Argument(help="results folder of a run, e.g. results/mini")],
    folder: Sheet,
    policy: Annotated[str, typer.Option(help="the policy whose rollouts were judged")],
    n: Annotated[int, typer.Option(help="verdicts to draw", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="which ones", min=0)] = 0,
) -> None:
    """Draw verdicts for people to mark, without showing them what the judge said."""
    from vlprm.cli.audit_sheet import write_sheet

    drawn = write_sheet(results, folder, policy, n, seed)
    typer.echo(f"{drawn} verdicts drawn: fill in the column mark of {folder / 'sheet.csv'}")


@for_people("audit-read")
def audit_read(
    folder: Sheet,
    confidence: Annotated[float, typer.Option(help="of the intervals", min=0.5, max=0.999)] = 0.95,
) -> None:
    """Read the marks of a sheet and say how far they agree with the judge."""
    from vlprm.cli.audit_sheet import read_sheet
    from vlprm.io.atomic import write_text
    from vlprm.metrics.audit import agreement
    from vlprm.pages.audit import audit_page

    drawn, marks, sizes = read_sheet(folder)
    page = audit_page(agreement(drawn, marks, sizes, confidence), marks, confidence)
    write_text(folder / "audit.md", page)
    typer.echo(page, nl=False)
