"""The cpu image built twice without a daemon, in two fresh folders: the same digest, the same SIF.

Needs root, mmdebstrap, zstd, squashfs-tools and apptainer. ``VLPRM_IMAGES`` may name a folder whose
``wheels`` are used again (each is checked by its hash); everything else is made anew each time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from report import ROOT, print_line

PROGRAMS = ("mmdebstrap", "zstd", "mksquashfs", "apptainer")


def build(work: Path, wheels: Path) -> tuple[dict[str, object], float]:
    """Build the image in an emptied folder; its facts, and seconds."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "wheels").symlink_to(wheels)
    command = [sys.executable, str(ROOT / "containers" / "daemonless.py"), "cpu", "--work", work]
    started = time.monotonic()
    subprocess.run(list(map(str, command)), check=True, stdout=sys.stderr)
    facts = json.loads((work / "cpu" / "image.facts.json").read_text())
    return facts, time.monotonic() - started


def main() -> int:
    images = Path(os.environ.get("VLPRM_IMAGES", ROOT / "build" / "images")).resolve()
    (images / "wheels").mkdir(parents=True, exist_ok=True)
    builds = []
    for name in ("first", "second"):
        work = images / "repeat" / name
        builds.append(build(work, images / "wheels"))
        shutil.rmtree(work / "cpu" / "root")
    (first, seconds), (second, _) = builds
    digests = {str(facts["digest"]) for facts in (first, second)}
    print(json.dumps({"digests": sorted(digests), "sif_bytes": first["sif_bytes"]}))
    sifs = {str(facts["sif_sha256"]) for facts in (first, second)}
    met = [
        print_line("image_build_minutes", seconds / 60, "min"),
        print_line("image_sifs", len(sifs), "different", at_most=1),
        print_line("image_digests", len(digests), "different", at_most=1),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
