"""The run's manifest: every stage's own, joined into one file; also as the expected one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

from vlprm.io.run_manifest import NAME, artefacts, collect, save
from vlprm.stages import Argument

log = logging.getLogger(__name__)


def run(
    results: Annotated[
        Path, Argument("results folder of a run, e.g. results/mini", by_position=True)
    ],
    out: Annotated[
        Path | None, Argument("the manifest; default: manifest.json in that folder")
    ] = None,
    expected: Annotated[
        Path | None, Argument("folder that also gets it, named by the platform class")
    ] = None,
) -> None:
    """Join what the stages recorded into one manifest of the run."""
    found = collect(results)
    save(found, out or results / NAME)
    if expected is not None:
        save(found, expected / f"{found.platform}.json")
    log.info(
        "manifest: %d stages, %d artefacts, platform %s",
        len(found.stages),
        len(artefacts(found)),
        found.platform,
    )
