"""Peak memory and time of every stage that reads a whole run, at the paper's size.

The sizes: 300,000 training conversations (made of 540,000 rollouts of 90,000 questions, each
with its image), and a benchmark with all 6,840 questions, 16 candidates, 5 policies and 2 PRMs.
Each stage's own ``run()`` runs in a process of its own on made-up records (``synthetic.py``)
at a quarter, at half and at the whole of it. Prints a row a stage and size, then the line.
Time is that of the processor, which a busy machine does not lengthen.

usage: python bench/memory_at_scale.py [--n 300000] [--stages examples,label,...]
                                       [--folder KEPT_DATA] [--whole]   (--whole: that size alone)
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from at_scale import STAGES, make, make_published  # noqa: E402
from report import print_line  # noqa: E402

PAPER = 300_000
LIMIT_GIB = 4.0
LINEAR = 1.5
"""Processor time of the whole over twice that of the half, at most: the part of a table that a
cache of fixed size holds gets smaller, up to a constant cost a record."""


def child(stage: str, folder: Path) -> None:
    """Run one stage and print its peak memory, processor time and wall time."""
    logging.basicConfig(level=logging.WARNING)
    started = time.monotonic()
    STAGES[stage](folder)
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    found = {"gib": used.ru_maxrss / 2**20, "cpu_s": cpu, "wall_s": seconds}
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


def measured(stage: str, folder: Path) -> dict[str, float]:
    """Run a stage in a process of its own, in a group of threads as a job has them."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", stage, "--folder", str(folder)],
        stdout=subprocess.PIPE, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{stage} failed with status {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=PAPER)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--child")
    asked = parser.parse_args()
    if asked.child in ("make", "make_published"):
        {"make": make, "make_published": make_published}[asked.child](asked.folder, asked.n)
        return 0
    if asked.child:
        child(asked.child, asked.folder)
        return 0
    sizes = [asked.n] if asked.whole else [asked.n // 4, asked.n // 2, asked.n]
    found: dict[str, dict[int, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="vlprm-scale-") as scratch:
        for size in sizes:
            folder = (asked.folder or Path(scratch)) / str(size)
            for stage in asked.stages.split(","):
                _have(folder, size, published=stage == "import_rollouts")
                row = found.setdefault(stage, {})[size] = measured(stage, folder)
                print(f"{stage:18} n {size:7,}  {row['gib']:6.2f} GiB"
                      f"  {row['cpu_s']:7.1f} s of processor  {row['wall_s']:7.1f} s",
                      flush=True)  # fmt: skip
    return report(found, sizes)


def _have(folder: Path, n: int, *, published: bool) -> None:
    """Make the records unless the folder has them; in another process: its memory is its own."""
    what = "make_published" if published else "make"
    marker = folder / f"{what}.done"
    if not marker.exists():
        subprocess.run(
            [sys.executable, __file__, "--child", what, "--folder", str(folder), "--n", str(n)],
            check=True,
        )
        marker.touch()


def report(found: dict[str, dict[int, dict[str, float]]], sizes: list[int]) -> int:
    """All figures as a line each, the largest peak as the last; 1 where a bound is broken."""
    bad = []
    for stage, rows in found.items():
        if len(sizes) == 3:
            half, whole = rows[sizes[1]]["cpu_s"], rows[sizes[2]]["cpu_s"]
            if whole > 10 and whole > LINEAR * 2 * half:
                bad.append(f"{stage}: {whole} s of all, {half} s of half")
        print(json.dumps({"stage": stage} | {str(n): row for n, row in rows.items()}))
    for line in bad:
        print(f"not linear  {line}")
    peak = max(row["gib"] for rows in found.values() for row in rows.values())
    met = print_line("memory_at_scale_gib", peak, "GiB", at_most=LIMIT_GIB)
    return 0 if met and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
