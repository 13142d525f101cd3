"""The mini experiment twice, every rule in its image: it ran inside, and gives the same bytes.

The first run is also compared with the expected manifest, which a run on a host wrote.

Needs apptainer and the images in place (containers/build install ROLE). ``CONTAINER_CONFIG`` names
another configuration, e.g. tests/workflow/nano.yaml; ``CONTAINER_PREFIX`` the folder of the images.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from vlprm.io.compare import compare_runs
from vlprm.io.run_manifest import collect, expected_for
from vlprm.io.verify import verify

from in_image import differs_from_host, facts_inside, not_in_an_image, run
from report import ROOT, print_line

PROGRAMS = ("apptainer",)


def not_expected(results: Path) -> int:
    """How many artefacts of a run are not those of its expected manifest."""
    ours = collect(results)
    expected, _ = expected_for(ours, ROOT / "configs" / "expected" / results.name)
    found = verify(ours, expected, results.parents[1])
    return sum(item.outcome != "same" for item in found.artefacts)


def main() -> int:
    configfile = ROOT / os.environ.get("CONTAINER_CONFIG", "configs/mini.yaml")
    prefix = Path(os.environ.get("CONTAINER_PREFIX", ROOT / ".snakemake/singularity")).resolve()
    folders = [ROOT / "build" / "container_mini" / name for name in ("first", "second")]
    seconds = [run(folder, prefix, configfile) for folder in folders]
    facts = facts_inside(folders[0], prefix, "cpu")
    print(json.dumps(facts))
    bare = [name for folder in folders for name in not_in_an_image(folder / "results")]
    inside = differs_from_host(facts) and not bare
    (results,) = [path for path in (folders[0] / "results").iterdir() if path.is_dir()]
    met = [
        print_line("container_mini_minutes", seconds[0] / 60, "min"),
        print_line("container_not_expected", not_expected(results), "artefacts", at_most=0),
        print_line("container_stages_on_the_host", len(bare) + (not inside), "stages", at_most=0),
        print_line(
            "container_runs_differ",
            compare_runs(*(folder / "results" for folder in folders)),
            "exit status",
            at_most=0,
        ),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
