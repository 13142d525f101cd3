"""How a run stands, beside it or after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlprm.cli.app import for_people


@for_people()
def status(
    run: Annotated[
        str | None, typer.Argument(help="keep to one run: mini, paper ...", show_default=False)
    ] = None,
    directory: Annotated[Path, typer.Option(help="where Snakemake runs")] = Path(),
) -> None:
    """Progress, jobs in the queue, and failures with the last lines of their logs."""
    from vlprm.cluster.progress import check_run, report

    if run is not None:
        check_run(directory.absolute(), run)
    for line in report(directory.absolute(), run):
        typer.echo(line)
