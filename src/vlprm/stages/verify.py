"""Verification: a run against the published one, artefact by artefact."""

from __future__ import annotations

import logging
from pathlib import Path

from vlprm.io.atomic import write_text
from vlprm.io.run_manifest import collect, load, published_for
from vlprm.io.verify import verify
from vlprm.io.verify_report import page

log = logging.getLogger(__name__)


def run(manifest: Path, expected: Path, report: Path | None = None) -> tuple[bool, str]:
    """Compare; returns whether all is the same, and the page that says so.

    The results beside ``manifest`` are read and hashed again, so that a file changed since is
    found; where there are none (a manifest brought from another machine), the manifest itself is
    compared. ``report`` gets the page with every artefact.
    """
    ours = load(manifest)
    folder: Path | None = None
    if next(manifest.resolve().parent.rglob("?*.manifest.json"), None):
        folder = manifest.resolve().parents[2]
        now = collect(manifest.parent)
        if now != ours:
            log.warning("verify: %s is older than its results, which are compared", manifest)
        ours = now
    else:
        log.warning("verify: no results beside %s: compared as it states them", manifest)
    published, classes = published_for(ours, expected)
    found = verify(ours, published, folder)
    if report is not None:
        write_text(report, page(found, ours, published, classes, full=True))
    return found.same, page(found, ours, published, classes, full=False)
