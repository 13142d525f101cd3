"""The smallest configuration inside the gpu image, on this machine's processor.

It stands in for the ``cpu`` image, so that all jobs run in it: a proof that its packages
(torch 2.7.1, transformers, flash-attn) carry every stage, as far as that goes without a GPU. What
comes before training has the expected bytes; training and what follows from it has
those of another torch. Needs apptainer and the image in ``CONTAINER_PREFIX`` (containers/build
install gpu PREFIX).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from vlprm.config.containers import load_containers
from vlprm.io.run_manifest import collect, load
from vlprm.provenance import RunManifest

from in_image import facts_inside, not_in_an_image, run
from other_machine import stage_digests
from report import ROOT, print_line

CONFIG = ROOT / "tests" / "workflow" / "nano.yaml"
EXPECTED = ROOT / "configs" / "expected" / "nano"
BEFORE_TRAINING = ("prepare", "rollout", "estimate", "judge", "label", "examples")

PROGRAMS = ("apptainer",)


def standing_in(role: str, given: Path, folder: Path) -> Path:
    """A folder in which Snakemake finds the role's image under the name of ``cpu``'s."""
    images = load_containers(ROOT / "containers" / "images.yaml")
    folder.mkdir(parents=True, exist_ok=True)
    name = images["cpu"].file(folder)
    name.unlink(missing_ok=True)
    os.link(images[role].file(given), name)
    return folder


def expected_run() -> RunManifest:
    (file,) = EXPECTED.glob("*.json")
    return load(file)


def main() -> int:
    given = Path(os.environ.get("CONTAINER_PREFIX", ROOT / ".snakemake/singularity")).resolve()
    # the image under cpu's name is not the one that images.yaml states
    os.environ["VLPRM_PREFLIGHT"] = "off"
    prefix = standing_in("gpu", given, given / "gpu-for-all")
    folder = ROOT / "build" / "gpu_images"
    seconds = run(folder, prefix, CONFIG)
    manifest, expected = collect(folder / "results" / "nano"), stage_digests(expected_run())
    found = stage_digests(manifest)
    differ = [stage for stage in expected if found.get(stage) != expected[stage]]
    facts = facts_inside(folder, prefix, "cpu")
    print(json.dumps({"role": "gpu", "stages": len(manifest.stages), "differ": differ, **facts}))
    bare = not_in_an_image(folder / "results")
    early = [stage for stage in differ if stage in BEFORE_TRAINING]
    met = [
        print_line("gpu_images_minutes", seconds / 60, "min"),
        print_line("gpu_images_on_the_host", len(bare), "stages", at_most=0),
        print_line("gpu_images_before_training", len(early), "differ", at_most=0),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
