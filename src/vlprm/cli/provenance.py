"""Commands on a finished run: its manifest, its verification, its research object crate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vlprm.cli.arguments import app


@app.command()
def manifest(
    results: Annotated[Path, typer.Argument(help="results folder of a run, e.g. results/mini")],
    out: Annotated[Path | None, typer.Option(help="default: manifest.json in that folder")] = None,
    publish: Annotated[
        Path | None, typer.Option(help="also write it here, named by platform class")
    ] = None,
) -> None:
    """Join what the stages recorded into one manifest of the run."""
    from vlprm.io.run_manifest import NAME
    from vlprm.stages import manifest as stage

    stage.run(results, out or results / NAME, publish)


@app.command()
def verify(
    manifest: Annotated[Path, typer.Argument(help="a run's manifest.json")],
    expected: Annotated[
        Path, typer.Argument(help="the published manifest, or a folder of one a platform class")
    ],
    report: Annotated[
        Path | None, typer.Option(help="write the page with every artefact here")
    ] = None,
) -> None:
    """Compare a run with the published one: same (exit 0), or what differs and from where (1)."""
    from vlprm.stages import verify as stage

    same, page = stage.run(manifest, expected, report)
    typer.echo(page, nl=False)
    raise typer.Exit(0 if same else 1)


@app.command()
def crate(
    results: Annotated[Path, typer.Argument(help="results folder of a run, e.g. results/mini")],
    out: Annotated[Path, typer.Argument(help="folder for ro-crate-metadata.json")],
) -> None:
    """Export the run's provenance as an RO-Crate (Provenance Run Crate)."""
    from vlprm.stages import crate as stage

    stage.run(results, out)
