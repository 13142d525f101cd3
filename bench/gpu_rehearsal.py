"""``vlprm rehearse`` on a card: the mini experiment for a GPU, one policy, one PRM, one benchmark.

Snakemake runs the jobs one at a time on one card: in the ``gpu`` image through Apptainer, or, where
the process is in that image already and Snakemake is at hand, as they are. What must come out:
every job ended, and every rule that books a card has a measured peak of it.

usage: python bench/gpu_rehearsal.py [--questions 4] [--steps 3]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from typing import Any

from gpu_config import cut, mini, write
from gpu_image import DESCRIPTION, keep
from report import ROOT, commit, print_line

FOLDER = ROOT / "build" / "gpu_rehearsal"
INSIDE = DESCRIPTION.exists()


def config() -> dict[str, Any]:
    """The mini experiment for a GPU, cut to one of each."""
    found = mini()
    found["run"] = "mini-gpu-one"
    return cut(found, ["prm-small"])


def rehearse(questions: int, steps: int) -> int:
    """Run the command; its exit status."""
    file = FOLDER / "mini-gpu-one.yaml"
    write(config(), file)
    command = [
        *(sys.executable, "-m", "vlprm.cli", "rehearse", "--configfile", str(file)),
        *("--target-dir", str(ROOT), "--questions", str(questions), "--steps", str(steps)),
        *("--cores", str(os.cpu_count()), "--resources", "gpu=1", "--quiet", "rules", "progress"),
    ]
    if not INSIDE:
        command += ["--sdm", "apptainer", "--apptainer-args", "--nv --cleanenv"]
    path = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(command, env=path, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--questions", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    given = parser.parse_args()
    started = time.monotonic()
    status = rehearse(given.questions, given.steps)
    table = ROOT / "results" / "mini-gpu-one-rehearsal" / "rehearsal.csv"
    if not table.exists():
        print(f"no {table.relative_to(ROOT)}: exit status {status}", file=sys.stderr)
        return status or 1
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    on_cards = {
        row["rule"]: {
            key: row[key] for key in ("start_s", "work_s", "peak_host_gb", "peak_card_gb")
        }
        for row in rows
        if int(row["gpus"])
    }
    unmeasured = [name for name, row in on_cards.items() if not float(row["peak_card_gb"] or 0)]
    found = {
        "exit_status": status, "seconds": round(time.monotonic() - started), "rules": len(rows),
        "on_cards": on_cards, "unmeasured": unmeasured, "commit": commit(),
    }  # fmt: skip
    print(json.dumps(found))
    keep("gpu_rehearsal", found)
    met = print_line("gpu_rehearsal_unmeasured", len(unmeasured), "rules", at_most=0)
    return 0 if met and not status else 1


if __name__ == "__main__":
    sys.exit(main())
