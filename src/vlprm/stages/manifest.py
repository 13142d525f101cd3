"""The run's manifest: every stage's own, joined into one file; also the file to publish."""

from __future__ import annotations

import logging
from pathlib import Path

from vlprm.io.run_manifest import artefacts, collect, save

log = logging.getLogger(__name__)


def run(results: Path, out: Path, publish: Path | None = None) -> None:
    """Write the manifest of the run in ``results``.

    ``publish``: a folder that also gets it, named by the platform class.
    """
    found = collect(results)
    save(found, out)
    if publish is not None:
        save(found, publish / f"{found.platform}.json")
    log.info(
        "manifest: %d stages, %d artefacts, platform %s",
        len(found.stages),
        len(artefacts(found)),
        found.platform,
    )
