"""Downloads: one pinned revision of a model or data set, listed with sha256."""

from __future__ import annotations

from vlprm.config.models import HubRef
from vlprm.io.hub import fetch
from vlprm.io.manifest import recorded
from vlprm.stages import VERSIONS, Out


def run(config: HubRef, out: Out) -> None:
    """Fetch into the folder of the listing ``out``, which is written when every file is there."""
    with recorded(
        "fetch",
        VERSIONS["fetch"],
        config.model_dump(mode="json"),
        inputs=[],
        outputs=[out],
    ) as counts:
        counts["files"] = fetch(config, out)
