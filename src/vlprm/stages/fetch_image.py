"""A role's container image, in the folder where Snakemake looks for it."""

from __future__ import annotations

import json
from pathlib import Path

from vlprm.config.images import ContainerImage
from vlprm.io.apptainer import provide
from vlprm.io.atomic import write_text
from vlprm.io.manifest import recorded
from vlprm.stages import VERSIONS


def run(role: str, image: ContainerImage, folder: Path, listing: Path) -> None:
    """Pull or check the image; the listing is written when its file is there."""
    with recorded(
        "fetch_image",
        VERSIONS["fetch_image"],
        image.model_dump(mode="json"),
        inputs=[],
        outputs=[listing],
    ) as counts:
        file = image.file(folder)
        stated = {
            "reference": image.reference,
            "file": str(file),
            "sha256": provide(role, image, folder),
        }
        write_text(listing, json.dumps(stated, indent=1, sort_keys=True) + "\n")
        counts["bytes"] = file.stat().st_size
