"""Export: the run's provenance as an RO-Crate, with the workflow's own file inside."""

from __future__ import annotations

import importlib.metadata
import logging
from pathlib import Path
from typing import Annotated

from vlprm.io.atomic import write_text
from vlprm.io.crate import WORKFLOW, metadata
from vlprm.io.run_manifest import collect, timings
from vlprm.stages import Argument

log = logging.getLogger(__name__)
SNAKEFILE = Path(__file__).resolve().parents[3] / "Snakefile"


def run(
    results: Annotated[
        Path, Argument("results folder of a run, e.g. results/mini", by_position=True)
    ],
    out: Annotated[Path, Argument("folder for ro-crate-metadata.json", by_position=True)],
) -> None:
    """Write ``ro-crate-metadata.json`` and the workflow's Snakefile into ``out``.

    With ``out`` equal to ``results`` that folder is the crate, every file at its place; elsewhere
    the crate describes files that are to be put beside it.
    """
    found = collect(results)
    try:
        snakemake = importlib.metadata.version("snakemake")
    except importlib.metadata.PackageNotFoundError:
        snakemake = "unknown"
    if SNAKEFILE.is_file():
        write_text(out / WORKFLOW, SNAKEFILE.read_text(encoding="utf-8"))
    write_text(out / "ro-crate-metadata.json", metadata(found, timings(results), snakemake))
    log.info("crate: %d jobs described in %s", len(found.stages), out / "ro-crate-metadata.json")
