"""A role's container image, in the folder where Snakemake looks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from vlprm.config.containers import ContainerImage
from vlprm.io.apptainer import provide
from vlprm.io.atomic import write_text
from vlprm.io.manifest import recorded
from vlprm.stages import VERSIONS, Argument, Out


def run(
    config: ContainerImage,
    role: Annotated[str, Argument("cpu or gpu", by_position=True)],
    folder: Annotated[Path, Argument("where Snakemake looks for containers", by_position=True)],
    out: Out,
) -> None:
    """Pull or check the image; the listing ``out`` is written when its file is there."""
    with recorded(
        "fetch_container",
        VERSIONS["fetch_container"],
        config.model_dump(mode="json"),
        inputs=[],
        outputs=[out],
    ) as counts:
        file = config.file(folder)
        stated = {
            "reference": config.reference,
            "file": str(file),
            "sha256": provide(role, config, folder),
        }
        write_text(out, json.dumps(stated, indent=1, sort_keys=True) + "\n")
        counts["bytes"] = file.stat().st_size
