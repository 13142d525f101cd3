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
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from report import print_line  # noqa: E402

PAPER, QUESTIONS, BENCHMARK = 300_000, 90_000, 6_840
POLICIES = 5
LIMIT_GIB = 4.0
LINEAR = 1.3
"""Processor time of the whole over twice that of the half, at most."""


def make(folder: Path, n: int) -> None:
    """All records for n conversations."""
    import synthetic

    questions = QUESTIONS * n // PAPER
    synthetic.sources(folder / "sources", questions)
    synthetic.benchmark(folder / "benchmark", max(BENCHMARK * n // PAPER, 20))
    packs = sorted((folder / "sources" / "images").iterdir())
    synthetic.examples(folder / "examples.parquet", n, packs)
    one = synthetic.Texts(9)
    names = synthetic.ids("made/up", 0, n // synthetic.ROLLOUTS, synthetic.ROLLOUTS)
    shard = folder / "one_shard"
    synthetic.rollouts(shard / "rollouts.parquet", names, one, one.draw(len(names)))
    synthetic.estimates(shard / "estimates.parquet", names, 5)
    synthetic.verdicts(shard / "verdicts.parquet", names, one)


def make_published(folder: Path, n: int) -> None:
    """The files of a published source with n rollouts (the paper's largest has 286,200)."""
    import synthetic

    synthetic.published(folder / "published", n)


def _config():  # type: ignore[no-untyped-def]
    import yaml

    from vlprm.config.run import load_config

    return load_config(yaml.safe_load((ROOT / "config.yaml").read_text()), "config.yaml")


def _shards(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("*.parquet"))


def run_examples(folder: Path) -> None:
    from vlprm.config import slices
    from vlprm.stages import examples

    made = folder / "sources"
    kinds = (_shards(made, kind) for kind in ("samples", "rollouts", "labels"))
    out = folder / "out" / "examples"
    examples.run(slices.examples(_config()), *kinds, out / "examples.parquet", out / "dropped.csv")


def run_balanced(folder: Path) -> None:
    from vlprm.config import slices
    from vlprm.stages import examples

    made = folder / "sources"
    kinds = (_shards(made, kind) for kind in ("samples", "rollouts", "labels"))
    out = folder / "out" / "balanced"
    config = slices.examples(_config())
    wanted = config.examples.model_copy(update={"balance": "outcome"})
    config = config.model_copy(update={"examples": wanted})
    examples.run(config, *kinds, out / "examples.parquet", out / "dropped.csv")


def run_label(folder: Path) -> None:
    from vlprm.config.slices import LabelSlice
    from vlprm.stages import label

    inputs = [
        folder / "one_shard" / f"{kind}.parquet" for kind in ("rollouts", "estimates", "verdicts")
    ]
    out = folder / "out" / "label"
    config = LabelSlice(rule=_config().labels.rule, min_graded=8)
    label.run(config, *inputs, out / "labels.parquet", out / "dropped.csv")


def run_published(folder: Path) -> None:
    from vlprm.config.slices import PublishedSlice
    from vlprm.stages import published

    names = ("rollouts.jsonl", "requests.jsonl", "results.json")
    kinds = ("samples", "images", "rollouts", "estimates", "verdicts")
    published.run(
        PublishedSlice(dataset="clevr", kind="clevr", n=47_700),
        tuple(folder / "published" / name for name in names),  # type: ignore[arg-type]
        tuple(folder / "out" / "published" / kind / "000.parquet" for kind in kinds),
    )


def run_select(folder: Path) -> None:
    from vlprm.config.slices import SelectSlice
    from vlprm.stages import select

    config, made = _config(), folder / "benchmark"
    asked = SelectSlice(
        seed=config.seed, prms=config.evaluation.prms, ranking=config.evaluation.ranking
    )
    scores = _shards(made, "scores") * len(asked.prms)
    kinds = (_shards(made, "samples"), _shards(made, "rollouts"), scores, _shards(made, "ranks"))
    select.run(asked, *kinds, folder / "out" / "selections.parquet")


def run_metrics(folder: Path) -> None:
    from vlprm.config import slices
    from vlprm.stages import metrics

    made = folder / "benchmark"
    config = slices.metrics(_config(), "mathvision")
    chosen = [folder / "out" / "selections.parquet"] * POLICIES
    pairs = POLICIES * len(config.prms)
    metrics.run(
        config, _shards(made, "samples"), _shards(made, "grades") * POLICIES, chosen,
        _shards(made, "rollouts") * pairs, _shards(made, "grades") * pairs,
        folder / "out" / "accuracy.parquet",
    )  # fmt: skip


def run_step_metrics(folder: Path) -> None:
    from vlprm.config import slices
    from vlprm.stages import step_metrics

    made = folder / "benchmark"
    config = slices.metrics(_config(), "mathvision")
    pairs = POLICIES * len(config.prms)
    step_metrics.run(
        config, _shards(made, "rollouts") * POLICIES, _shards(made, "verdicts") * POLICIES,
        _shards(made, "scores") * pairs,
        *(folder / "out" / f"{name}.parquet" for name in ("steps", "calibration", "confusion")),
    )  # fmt: skip


def run_tables(folder: Path) -> None:
    from vlprm.config import slices
    from vlprm.stages import tables

    made, config = folder / "sources", _config()
    rollouts = _shards(made, "rollouts")
    asked = slices.tables(config, dict.fromkeys(config.sources, 0))
    asked = asked.model_copy(update={"sources": (("made-up", len(rollouts)),)})
    five = len(config.evaluation.benchmarks)
    tables.run(
        asked, [folder / "out" / "accuracy.parquet"] * five,
        [folder / "out" / "steps.parquet"] * five, rollouts, _shards(made, "labels"),
        folder / "out" / "tables",
    )  # fmt: skip


def run_figures(folder: Path) -> None:
    from vlprm.config import slices
    from vlprm.stages import figures

    config, out = _config(), folder / "out"
    figures.run(
        slices.tables(config, dict.fromkeys(config.sources, 0)),
        [out / "accuracy.parquet"], [out / "calibration.parquet"], [out / "confusion.parquet"],
        out / "tables" / "labels.parquet", out / "figures",
    )  # fmt: skip


def run_manifest(folder: Path) -> None:
    """About a thousand records at the paper's size, as many as its run has jobs on data."""
    from vlprm.stages import manifest

    results = folder / "results" / "made-up"
    source = folder / "out" / "examples"
    for kind in ("manifest", "timing"):
        text = (source / f"examples.parquet.{kind}.json").read_text()
        for job in range(4 * len(_shards(folder / "sources", "samples")) * 3):
            place = results / "stage" / f"{job:04d}.parquet.{kind}.json"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    manifest.run(results, folder / "out" / "manifest.json")


def run_train_data(folder: Path) -> None:
    """What a training process holds and reads: conversations in shuffled order, their images."""
    import numpy as np

    from vlprm.io.images import ImageStore
    from vlprm.io.tables import Rows
    from vlprm.records import PRMExample

    store = ImageStore(*_shards(folder / "sources", "images"))
    rows = Rows(folder / "examples.parquet", PRMExample)
    for at in np.random.default_rng(0).permutation(len(rows)):
        for ref in rows[int(at)].images:
            store.open(ref)


STAGES: dict[str, Callable[[Path], None]] = {
    "examples": run_examples,
    "examples_balanced": run_balanced,
    "label": run_label,
    "select": run_select,
    "metrics": run_metrics,
    "step_metrics": run_step_metrics,
    "tables": run_tables,
    "figures": run_figures,
    "manifest": run_manifest,
    "train_data": run_train_data,
    "published": run_published,
}
"""In this order: later ones read what earlier ones wrote."""


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
                _have(folder, size, published=stage == "published")
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
