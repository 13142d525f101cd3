"""Downloads: one pinned revision of a model or data set, listed with sha256."""

from __future__ import annotations

from pathlib import Path

from vlprm.config.models import HubRef
from vlprm.io.hub import fetch
from vlprm.io.manifest import recorded
from vlprm.stages import VERSIONS


def run(config: HubRef, listing: Path) -> None:
    """Fetch into the listing's folder; the listing is written when every file is there."""
    with recorded(
        "fetch",
        VERSIONS["fetch"],
        config.model_dump(mode="json"),
        inputs=[],
        outputs=[listing],
    ) as counts:
        counts["files"] = fetch(config, listing)
