"""The label factory's tables at the paper's size: joining, consensus labels, conversations.

N rollouts of 9 steps with 16 outcomes of each step and a verdict each, made up in shards of 1,000
questions (``synthetic.py``), go through the run's own stages: every shard through ``label``, which
joins rollouts, estimates and verdicts by their ids and applies the published rule, then all of them
through ``examples``. Two processes at a time, as ``snakemake --cores 2`` would start them, each a
stage's job with its own interpreter. Time is wall time, and processor time beside it; memory the
largest of a process, twice that as the bound of two.

With ``--paper`` also the time of ``snakemake -n`` of ``config.yaml`` with its real shard counts.

usage: python bench/label_scale.py [--n 300000] [--whole] [--folder KEPT_DATA] [--paper]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from at_scale import _config  # noqa: E402
from report import print_line  # noqa: E402

SIZE, CORES = 300_000, 2
LIMIT_S, LIMIT_GIB, LIMIT_PLAN_S = 180.0, 3.0, 60.0
LINEAR = 1.25
"""Processor time a rollout of the largest size over that of the one before it, at most."""
PER_JOB = 12
"""Shards that one interpreter labels here; a run starts one for each."""


def make(folder: Path, n: int) -> None:
    """Samples, rollouts, estimates and verdicts of n rollouts, with their keys."""
    import keyed

    from vlprm.records import Rollout, Sample, StepEstimate, Verdict

    import synthetic

    policy, texts = _config().labels.policy, synthetic.Texts(7)
    questions = n // synthetic.ROLLOUTS
    kinds = (("rollouts", Rollout), ("estimates", StepEstimate), ("verdicts", Verdict))
    for number, first in enumerate(range(0, questions, synthetic.SHARD)):
        here, name = min(synthetic.SHARD, questions - first), f"{number:03d}.parquet"
        names = synthetic.ids("made/up", first, here, synthetic.ROLLOUTS)
        synthetic.samples(folder / "samples" / name, "made/up", first, here, [])
        synthetic.rollouts(folder / "rollouts" / name, names, texts, texts.draw(len(names)))
        synthetic.estimates(folder / "estimates" / name, names, number)
        synthetic.verdicts(folder / "verdicts" / name, names, texts)
        own = {"dataset": keyed.SOURCE, "shard": f"{number:03d}"}
        keyed.copy(folder / "samples" / name, folder / "samples" / name, Sample, **own)
        for kind, record in kinds:
            keyed.copy(folder / kind / name, folder / kind / name, record, **own, policy=policy)


def label(folder: Path, shards: Sequence[str]) -> None:
    """The stage, shard by shard."""
    from vlprm.config.slices.label import LabelSlice
    from vlprm.stages import label as stage

    config = LabelSlice(rule=_config().labels.rule, min_graded=8)
    for name in shards:
        rollouts, estimates, verdicts = (
            folder / kind / name for kind in ("rollouts", "estimates", "verdicts")
        )
        outputs = folder / "labels" / name, folder / "labels" / f"{name}.dropped.csv"
        stage.run(config, rollouts, [estimates], [verdicts], [], *outputs)


def examples(folder: Path) -> None:
    """The stage, on all shards."""
    import keyed

    from vlprm.config import slices
    from vlprm.stages import examples as stage

    config = _config()
    found = slices.examples.of(config, dict.fromkeys(config.sources, 0))
    kinds = [_shards(folder, kind) for kind in ("samples", "rollouts", "labels")]
    told = found.model_copy(update={"sources": ((keyed.SOURCE, len(kinds[0])),)})
    out = folder / "examples"
    stage.run(told, *kinds, [], [], out / "examples.parquet", out / "dropped.csv")


def _shards(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("*.parquet"))


def child(what: str, folder: Path, shards: Sequence[str]) -> None:
    """One job; prints its memory and processor time."""
    if what == "label":
        label(folder, shards)
    else:
        examples(folder)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"gib": used.ru_maxrss / 2**20, "cpu_s": used.ru_utime + used.ru_stime}))


def job(what: str, folder: Path, shards: Sequence[str] = ()) -> dict[str, float]:
    """A process with the threads of a job."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", what, "--folder", str(folder), "--shards", *shards],
        stdout=subprocess.PIPE, text=True, check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(folder: Path, n: int) -> dict[str, float]:
    """All of it at one size, made first unless the folder has it."""
    if not (folder / "made").exists():
        done = [sys.executable, __file__, "--child", "make", "--folder", str(folder)]
        subprocess.run([*done, "--n", str(n)], check=True)
        (folder / "made").touch()
    names = [path.name for path in _shards(folder, "rollouts")]
    each = min(PER_JOB, -(-len(names) // CORES))
    parts = [names[at : at + each] for at in range(0, len(names), each)]
    started = time.monotonic()
    with ThreadPoolExecutor(CORES) as pool:
        labelled = list(pool.map(lambda part: job("label", folder, part), parts))
    middle = time.monotonic()
    conversations = job("examples", folder)
    ended = time.monotonic()
    return {
        "label_wall_s": middle - started,
        "examples_wall_s": ended - middle,
        "wall_s": ended - started,
        "label_cpu_s": sum(one["cpu_s"] for one in labelled),
        "examples_cpu_s": conversations["cpu_s"],
        "gib": max(CORES * max(one["gib"] for one in labelled), conversations["gib"]),
    }


def dry_run() -> tuple[float, float]:
    """Wall and processor seconds of ``snakemake -n`` on the paper's configuration."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as workdir:
        for name in ("models", "configs"):
            (Path(workdir) / name).symlink_to(ROOT / name)
        subprocess.run(
            [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--directory", workdir,
             "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config.yaml")],
            check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=SIZE)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--whole", action="store_true", help="that size alone")
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--child")
    parser.add_argument("--shards", nargs="*", default=[])
    asked = parser.parse_args()
    if asked.child == "make":
        make(asked.folder, asked.n)
        return 0
    if asked.child:
        child(asked.child, asked.folder, asked.shards)
        return 0
    sizes = [asked.n] if asked.whole else [asked.n // 10, asked.n // 3, asked.n]
    rows: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="vlprm-labels-") as scratch:
        for size in sizes:
            rows[size] = measured((asked.folder or Path(scratch)) / str(size), size)
            told = ", ".join(f"{name} {value:.2f}" for name, value in rows[size].items())
            print(f"n {size:7,}  {told}", flush=True)
    return report(rows, paper=asked.paper)


def report(rows: dict[int, dict[str, float]], *, paper: bool) -> int:
    """Lines with targets; 1 where one is missed."""
    met, largest = [], max(rows)
    each = [(row["label_cpu_s"] + row["examples_cpu_s"]) / n for n, row in sorted(rows.items())]
    if len(each) > 1:
        met.append(print_line("label_scale_linear", each[-1] / each[-2],
                              "times the processor time a rollout", at_most=LINEAR))  # fmt: skip
    if paper:
        wall, cpu = dry_run()
        print_line("label_scale_dry_run_processor", cpu, "s of processor")
        met.append(print_line("label_scale_dry_run", wall, "s", at_most=LIMIT_PLAN_S))
    row, scale = rows[largest], SIZE / largest
    met.append(print_line("label_scale_gib", row["gib"], "GiB", at_most=LIMIT_GIB))
    cpu = scale * (row["label_cpu_s"] / CORES + row["examples_cpu_s"])
    print_line("label_scale_free_machine", cpu, f"s at {SIZE:,}, by processor time on free cores")
    name = "label_scale" if largest == SIZE else f"label_scale_{largest}"
    met.append(print_line(name, row["wall_s"], "s", at_most=LIMIT_S / scale))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
