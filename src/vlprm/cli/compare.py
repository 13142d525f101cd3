"""Two runs side by side."""

from __future__ import annotations

from pathlib import Path

import typer

from vlprm.cli.app import for_people


@for_people()
def compare(first: Path, second: Path) -> None:
    """Compare the results of two runs, file by file, by sha256."""
    from vlprm.io.compare import compare_runs

    raise typer.Exit(compare_runs(first, second))
