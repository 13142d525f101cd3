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


def compare(cpu: Path, gpu: Path) -> tuple[int, int, list[str]]:
    """Rows, rows whose intervals overlap, and those that do not."""
    left, right = rows(cpu), rows(gpu)
    shared = [key for key in left if key in right]
    apart = []
    for key in shared:
        low, high = (float(left[key][name]) for name in ("low", "high"))
        other_low, other_high = (float(right[key][name]) for name in ("low", "high"))
        if other_low > high or other_high < low:
            apart.append(
                f"{' '.join(key)}: {low:.3f}-{high:.3f} and {other_low:.3f}-{other_high:.3f}"
            )
    return len(shared), len(shared) - len(apart), apart


def report(cpu: Path, gpu: Path) -> int:
    """Print what does not overlap, then the line."""
    count, overlap, apart = compare(cpu, gpu)
    print("\n".join(apart))
    keep("gpu_mini", {"rows": count, "overlapping": overlap, "apart": apart} | facts())
    return 0 if print_line("gpu_mini_rows_apart", count - overlap, "rows", at_most=0) else 1


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
