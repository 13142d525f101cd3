"""Every stage that reads a whole run, on made-up records: what memory_at_scale measures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

CONVERSATIONS, QUESTIONS, BENCHMARK = 300_000, 90_000, 6_840
"""Of the paper: training conversations, their questions, questions of all benchmarks."""
POLICIES = 5


def make(folder: Path, n: int) -> None:
    """All records for n conversations."""
    import synthetic

    questions = QUESTIONS * n // CONVERSATIONS
    synthetic.sources(folder / "sources", questions)
    synthetic.benchmark(folder / "benchmark", max(BENCHMARK * n // CONVERSATIONS, 20))
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
