"""The mini experiment as jobs of a real scheduler: the local run's bytes, through both profiles.

Starts a two-node Slurm on this machine (Debian's packages; root), runs the experiment locally, then
through profiles/pbs (qsub, qstat, qdel) and through profiles/slurm, and compares every result. One
JSON line a profile with its minutes, and last the number of results that differ. ``--nano`` runs
the smallest configuration instead, to try the measurement itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vlprm.io.compare import compare_runs

from checkout import fresh_copy
from report import ROOT, print_line

sys.path.insert(0, str(ROOT))

from tests.cluster.conftest import search_path
from tests.cluster.slurm import Slurm, why_not

CONFIGURATIONS = {"mini": "configs/mini.yaml", "nano": "tests/workflow/nano.yaml"}
# the images are no part of this measurement, and jobs of a few seconds need no long pauses
CLUSTER = (
    *("--software-deployment-method", "env-modules", "--jobs", "3", "--latency-wait", "10"),
    *("--seconds-between-status-checks", "1"),
)

PROGRAMS = ("slurmctld", "qsub", "munged", "git")


def main() -> int:
    name = "nano" if "--nano" in sys.argv[1:] else "mini"
    if reason := why_not():
        print(f"cluster_mini: {reason}", file=sys.stderr)
        return 2
    results, minutes, jobs = {}, {}, {}
    with tempfile.TemporaryDirectory(prefix="slurm-") as work:
        slurm = Slurm(Path(work))
        slurm.environment["PATH"] = search_path(Path(work) / "bin")
        try:
            slurm.start()
            for profile in ("mini", "pbs", "slurm"):
                copy = fresh_copy(ROOT / "build" / "cluster_mini" / profile)
                more = () if profile == "mini" else CLUSTER
                started = time.monotonic()
                subprocess.run(
                    [
                        *(sys.executable, "-m", "snakemake", "--profile", f"profiles/{profile}"),
                        *("--configfile", CONFIGURATIONS[name], *more),
                    ],
                    cwd=copy,
                    env=os.environ | slurm.environment | {"PYTHONPATH": str(copy / "src")},
                    check=True,
                )
                minutes[profile] = (time.monotonic() - started) / 60
                results[profile] = copy / "results" / name
                jobs[profile] = len(list(copy.glob(".snakemake/cluster/ended/*.json")))
        finally:
            slurm.stop()
    differing = sum(
        compare_runs(results["mini"], results[profile]) != 0 for profile in ("pbs", "slurm")
    )
    shutil.rmtree(ROOT / "build" / "cluster_mini")
    for profile, spent in minutes.items():
        print_line(f"cluster_{name}_{profile}_minutes", spent, "min")
    for profile in ("pbs", "slurm"):
        print_line(f"cluster_{name}_{profile}_jobs", jobs[profile], "jobs", at_least=1)
    print_line("cluster_mini", differing, "profiles whose bytes differ", at_most=0)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
