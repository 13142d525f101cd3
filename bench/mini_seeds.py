"""How far one training lies from the next: the mini experiment's PRMs under several seeds.

The same rollouts, labels and candidates; each PRM is trained under every seed, in float32, and once
more in bfloat16. Intervals in the tables are over questions; they do not hold the luck of a
training. Counted is, for each pair of trainings of one base, the share of rows whose intervals do
not overlap: what two runs are apart that differ in a seed alone.

With ``--gpu`` the table of the same configuration's run on a card is compared too (`gpu_mini`).

usage: python bench/mini_seeds.py [--seeds 3] [--gpu STRATEGIES.csv]
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gpu_mini
import yaml

from gpu_config import cut, write
from gpu_image import keep
from report import ROOT, commit, print_line

BASES = ("small", "large")
HALF = "bf16"


def config(seeds: list[int]) -> dict[str, Any]:
    """The mini experiment with one policy and one benchmark, and PRMs of every seed."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "mini.yaml").read_text())
    found["run"] = "mini-seeds"
    recipe = found["training"]["prm"]
    found["training"] = {f"seed-{seed}": recipe | {"seed": seed} for seed in seeds}
    for base in BASES:
        found["models"][f"{base}-{HALF}"] = found["models"][base] | {"dtype": "bfloat16"}
    prms = {}
    for base in BASES:
        like = found["prms"][f"prm-{base}"]
        for seed in seeds:
            prms[f"{base}-{seed}"] = like | {"training": f"seed-{seed}"}
        half = {"base": f"{base}-{HALF}", "training": f"seed-{seeds[0]}"}
        prms[f"{base}-{HALF}"] = like | half
    found["prms"] = prms
    found["evaluation"]["searches"] = {}
    found["tables"]["curves"] = [x for x in found["tables"]["curves"] if x not in found["searches"]]
    return cut(found, list(prms))


def by_prm(table: Path) -> dict[str, dict[gpu_mini.Key, gpu_mini.Interval]]:
    """PRM to the rows that it decides: benchmark matrix, the small policy."""
    found: dict[str, dict[gpu_mini.Key, gpu_mini.Interval]] = {}
    for (benchmark, policy, prm, *what), ends in gpu_mini.intervals(table).items():
        if prm and policy == "small" and benchmark == "matrix":
            found.setdefault(prm, {})[tuple(what)] = ends
    return found


def share_apart(
    one: dict[gpu_mini.Key, gpu_mini.Interval], two: dict[gpu_mini.Key, gpu_mini.Interval]
) -> float:
    """Share of the rows of both whose intervals do not overlap."""
    shared, keys = gpu_mini.apart(one, two)
    return len(keys) / shared


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--gpu", type=Path)
    given = parser.parse_args()
    seeds = [100 + number for number in range(given.seeds)]
    file = ROOT / "build" / "mini_seeds.yaml"
    write(config(seeds), file)
    command = ["snakemake", "--configfile", str(file), "--profile", "profiles/mini"]
    subprocess.run(command, cwd=ROOT, check=True)
    here = by_prm(ROOT / "results" / "mini-seeds" / "tables" / "strategies.csv")
    card = by_prm(given.gpu) if given.gpu else {}
    shares: dict[str, dict[str, float]] = {"seed": {}, HALF: {}} | ({"card": {}} if card else {})
    for base in BASES:
        own = [f"{base}-{seed}" for seed in seeds]
        for one, two in itertools.combinations(own, 2):
            shares["seed"][f"{one} {two}"] = share_apart(here[one], here[two])
        for name in own:
            shares[HALF][name] = share_apart(here[name], here[f"{base}-{HALF}"])
            if card:
                shares["card"][name] = share_apart(here[name], card[f"prm-{base}"])
    print(json.dumps(shares, indent=1))
    keep("mini_seeds", {"shares": shares, "commit": commit()})
    means = {kind: sum(item.values()) / len(item) for kind, item in shares.items()}
    for kind in list(means)[1:]:
        print_line(f"mini_{kind}_rows_apart", 100 * means[kind], "% of rows")
    print_line("mini_seeds_rows_apart", 100 * means["seed"], "% of rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
