"""The command that deletes ledgers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlprm.cli.app import for_people


@for_people()
def clean(
    results: Annotated[Path, typer.Argument(help="results folder of a run, e.g. results/mini")],
) -> None:
    """Delete the reply ledgers of outputs that are complete; those of unfinished work stay."""
    from vlprm.ledger.file import delete_complete

    files, size = delete_complete(results)
    typer.echo(f"deleted {files} ledgers of complete outputs, {size / 1e6:.1f} MB")
