"""The whole mini experiment on a card: every rule, no failure; its table beside the CPU run's.

vLLM draws, estimates and searches (the large policy: transformers); PRMs are trained through
DeepSpeed's configuration file; the transformers scorer scores; all in bfloat16. Compared are the
strategies' intervals with those of the run on a CPU in float32
(results/mini/tables/strategies.csv, so `make demo` goes first).

usage: python bench/gpu_mini.py                  plan here, run in the image, compare
       python bench/gpu_mini.py plan PLAN.json   (needs Snakemake)
       python bench/gpu_mini.py run PLAN.json FOLDER [JOBS]    (in the image, no Snakemake needed)
       python bench/gpu_mini.py compare CPU.csv GPU.csv
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from gpu_config import mini, write
from gpu_image import enter, facts, keep
from report import ROOT, print_line

FOLDER = ROOT / "build" / "gpu_mini"
CPU = ROOT / "results" / "mini" / "tables" / "strategies.csv"
GPU = FOLDER / "run" / "results" / "mini-gpu" / "tables" / "strategies.csv"
KEY = ("benchmark", "policy", "prm", "strategy", "aggregation", "n")


LANES = 4
"""Jobs that share a card: the models are of 3 MB, and most of a job is vLLM's start."""


def plan(out: Path) -> None:
    """Every job's command of the configuration, each with its part of a card."""
    import other_machine

    config = FOLDER / "mini-gpu.yaml"
    write(mini(), config)
    other_machine.plan(config, out)
    text = out.read_text().replace("policy:0@0.55+scorer:0@0.35", "policy:0@0.12+scorer:0@0.08")
    out.write_text(text.replace("@0.9 ", "@0.2 "))


def run(planned: Path, folder: Path, jobs: int) -> int:
    """All jobs of the plan; number of those that failed."""
    import other_machine

    return other_machine.run(planned, folder.resolve(), jobs, LANES)


def rows(table: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows of a strategies' table by what they measure."""
    with table.open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    names = [name for name in KEY if name in read[0]]
    return {tuple(row[name] for name in names): row for row in read}


Interval = tuple[float, float]
Key = tuple[str, ...]


def intervals(table: Path) -> dict[Key, Interval]:
    """Intervals of a strategies' table by what their rows measure, see ``KEY``."""
    return {key: (float(row["low"]), float(row["high"])) for key, row in rows(table).items()}


def apart(one: dict[Key, Interval], two: dict[Key, Interval]) -> tuple[int, list[Key]]:
    """How many rows both have, and those whose intervals do not overlap."""
    shared = [key for key in one if key in two]
    return len(shared), [
        key for key in shared if one[key][0] > two[key][1] or two[key][0] > one[key][1]
    ]


def report(cpu: Path, gpu: Path) -> int:
    """Print what does not overlap, then the line. The facts kept are those of the run's card."""
    left, right = intervals(cpu), intervals(gpu)
    count, keys = apart(left, right)
    told = [f"{' '.join(key)}: {_ends(left[key])} and {_ends(right[key])}" for key in keys]
    print("\n".join(told))
    keep("gpu_mini", {"rows": count, "overlapping": count - len(keys), "apart": told})
    return 0 if print_line("gpu_mini_rows_apart", len(keys), "rows", at_most=0) else 1


def _ends(interval: Interval) -> str:
    return f"{interval[0]:.3f}-{interval[1]:.3f}"


def main() -> int:
    match sys.argv[1:]:
        case ["plan", out]:
            plan(Path(out))
        case ["run", planned, folder, *jobs]:
            failed = run(Path(planned), Path(folder), int(jobs[0]) if jobs else 2)
            keep("gpu_mini", {"failed_jobs": failed} | facts())
            return 0 if print_line("gpu_mini_failed", failed, "jobs", at_most=0) else 1
        case ["compare", cpu, gpu]:
            return report(Path(cpu), Path(gpu))
        case []:
            planned = FOLDER / "plan.json"
            if not CPU.exists():
                print(f"{CPU.relative_to(ROOT)} is missing: run `make demo` first", file=sys.stderr)
                return 2
            plan(planned)
            sys.argv[1:] = ["run", str(planned), str(FOLDER / "run")]
            failed = subprocess.run([sys.executable, *sys.argv], check=False).returncode
            return failed or report(CPU, GPU)
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        enter()
    sys.exit(main())
