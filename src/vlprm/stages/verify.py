"""Verification: a run against the expected one, artefact by artefact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

from vlprm.io.atomic import write_text
from vlprm.io.run_manifest import SUFFIX, collect, expected_for, load
from vlprm.io.verify import verify
from vlprm.io.verify_report import page
from vlprm.stages import Argument

log = logging.getLogger(__name__)


def run(
    manifest: Annotated[Path, Argument("a run's manifest.json", by_position=True)],
    expected: Annotated[
        Path,
        Argument("the expected manifest, or a folder of one per platform class", by_position=True),
    ],
    report: Annotated[Path | None, Argument("page with every artefact, to be written")] = None,
) -> tuple[bool, str]:
    """Compare; returns whether all is the same, and the page that says so.

    The results beside ``manifest`` are read and hashed again, so that a file changed since is
    found; where there are none (a manifest brought from another machine), the manifest itself is
    compared. ``report`` gets the page with every artefact.
    """
    ours = load(manifest)
    folder: Path | None = None
    results = manifest.resolve().parent
    if results.parts[-2:] == ("results", ours.run) and next(results.rglob(f"?*{SUFFIX}"), None):
        folder = results.parents[1]
        now = collect(manifest.parent)
        if now != ours:
            log.warning("verify: %s is older than its results, which are compared", manifest)
        ours = now
    else:
        log.warning("verify: no results beside %s: compared as it states them", manifest)
    theirs, classes = expected_for(ours, expected)
    found = verify(ours, theirs, folder)
    if report is not None:
        write_text(report, page(found, ours, theirs, classes, full=True))
    return found.same, page(found, ours, theirs, classes, full=False)
