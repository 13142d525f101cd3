"""Every stage that reads a whole run, on made-up records: what memory_at_scale measures."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

CONVERSATIONS, QUESTIONS, BENCHMARK = 300_000, 90_000, 6_840
"""Of the paper: training conversations, their questions, questions of all benchmarks."""


def make(folder: Path, n: int) -> None:
    """All records for n conversations."""
    import keyed

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
    config = _config()
    keyed.sources(folder / "sources", config.labels.policy)
    keyed.one_shard(shard, config.labels.policy)
    keyed.benchmark(folder / "benchmark", config)


def make_published(folder: Path, n: int) -> None:
    """The files of a published source with n rollouts (the paper's largest has 286,200)."""
    import synthetic

    synthetic.published(folder / "published", n)


def _config():  # type: ignore[no-untyped-def]
    import yaml

    from vlprm.config.checked import load_config

    return load_config(yaml.safe_load((ROOT / "config.yaml").read_text()), "config.yaml")


def _shards(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("*.parquet"))


def _examples_slice(folder: Path):  # type: ignore[no-untyped-def]
    import keyed

    from vlprm.config import slices

    config = _config()
    found = slices.examples.of(config, dict.fromkeys(config.sources, 0))
    shards = len(_shards(folder / "sources", "samples"))
    return found.model_copy(update={"sources": ((keyed.SOURCE, shards),)})


def run_examples(folder: Path) -> None:
    from vlprm.stages import examples

    made = folder / "sources"
    kinds = (_shards(made, kind) for kind in ("samples", "rollouts", "labels"))
    out = folder / "out" / "examples"
    config = _examples_slice(folder)
    examples.run(config, *kinds, [], [], out / "examples.parquet", out / "dropped.csv")


def run_balanced(folder: Path) -> None:
    from vlprm.stages import examples

    made = folder / "sources"
    kinds = (_shards(made, kind) for kind in ("samples", "rollouts", "labels"))
    out = folder / "out" / "balanced"
    config = _examples_slice(folder)
    wanted = config.examples.model_copy(update={"balance": "outcome"})
    config = config.model_copy(update={"examples": wanted})
    examples.run(config, *kinds, [], [], out / "examples.parquet", out / "dropped.csv")


def run_label(folder: Path) -> None:
    from vlprm.config.slices.label import LabelSlice
    from vlprm.stages import label

    rollouts, estimates, verdicts = (
        folder / "one_shard" / f"{kind}.parquet" for kind in ("rollouts", "estimates", "verdicts")
    )
    out = folder / "out" / "label"
    config = LabelSlice(rule=_config().labels.rule, min_graded=8)
    outputs = out / "labels.parquet", out / "dropped.csv"
    label.run(config, rollouts, [estimates], [verdicts], [], *outputs)


def run_import_rollouts(folder: Path) -> None:
    from vlprm.config.slices.import_rollouts import ImportRolloutsSlice
    from vlprm.stages import import_rollouts

    names = ("rollouts.jsonl", "requests.jsonl", "results.json")
    kinds = ("samples", "images", "rollouts", "estimates", "verdicts")
    import_rollouts.run(
        ImportRolloutsSlice(dataset="clevr", shard="000", policy="policy", kind="clevr", n=47_700),
        *(folder / "published" / name for name in names),
        *(folder / "out" / "published" / kind / "000.parquet" for kind in kinds),
    )


def run_select(folder: Path) -> None:
    import keyed

    from vlprm.config import slices
    from vlprm.stages import select

    config, made = _config(), folder / "benchmark"
    samples, policy = _shards(made, "samples"), config.evaluation.policies[0]
    kinds = [
        [path for path in _shards(made, f"keyed_{kind}") if f"-{policy}" in path.stem]
        for kind in ("rollouts", "scores", "ranks")
    ]
    asked = slices.select.of(config, policy, keyed.BENCHMARK, len(samples))
    out = folder / "out" / "selections.parquet"
    select.run(asked, samples, *kinds, out)


def copy_selections(folder: Path) -> None:
    """The selections of one policy as those of all."""
    import keyed

    from vlprm.records import Selection

    for policy in _config().evaluation.policies:
        keys = {"dataset": keyed.BENCHMARK, "policy": policy}
        copied = folder / "out" / "selections" / f"{policy}.parquet"
        keyed.copy(folder / "out" / "selections.parquet", copied, Selection, **keys)


def run_metrics(folder: Path) -> None:
    import keyed

    from vlprm.config import slices
    from vlprm.stages import metrics

    made = folder / "benchmark"
    samples = _shards(made, "samples")
    # in another process: its memory is no memory of the stage
    other = multiprocessing.get_context("spawn").Process(target=copy_selections, args=(folder,))
    other.start()
    other.join()
    config = slices.metrics.of(_config(), keyed.BENCHMARK, len(samples))
    metrics.run(
        config, samples, _shards(made, "keyed_grades"), _shards(folder / "out", "selections"),
        _shards(made, "searched_rollouts"), _shards(made, "searched_grades"),
        folder / "out" / "accuracy.parquet",
    )  # fmt: skip


def run_step_metrics(folder: Path) -> None:
    import keyed

    from vlprm.config import slices
    from vlprm.stages import step_metrics

    made = folder / "benchmark"
    config = slices.metrics.of(_config(), keyed.BENCHMARK, len(_shards(made, "samples")))
    step_metrics.run(
        config.model_copy(update={"step_truth": True}),
        *(_shards(made, f"keyed_{kind}") for kind in ("rollouts", "verdicts", "scores")),
        *(folder / "out" / f"{name}.parquet" for name in ("steps", "calibration", "confusion")),
    )  # fmt: skip


def _tables_slice(folder: Path):  # type: ignore[no-untyped-def]
    import keyed

    from vlprm.config import slices

    config = _config()
    found = slices.tables.of(config, dict.fromkeys(config.sources, 0))
    shards = len(_shards(folder / "sources", "rollouts"))
    return found.model_copy(update={"sources": ((keyed.SOURCE, shards),)})


def run_tables(folder: Path) -> None:
    import keyed

    from vlprm.records import Metric
    from vlprm.stages import tables

    made, asked, lists = folder / "sources", _tables_slice(folder), []
    for kind in ("accuracy", "steps"):
        lists.append([folder / "out" / name / f"{kind}.parquet" for name in asked.benchmarks])
        for path in lists[-1]:
            keys = {"dataset": path.parent.name, "kind": kind}
            keyed.copy(folder / "out" / f"{kind}.parquet", path, Metric, **keys)
    tables.run(
        asked, *lists, _shards(made, "rollouts"), _shards(made, "labels"),
        folder / "out" / "tables",
    )  # fmt: skip


def run_figures(folder: Path) -> None:
    import keyed

    from vlprm.stages import figures

    out = folder / "out"
    figures.run(
        _tables_slice(folder).model_copy(update={"benchmarks": (keyed.BENCHMARK,)}),
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
    from vlprm.io.parquet import Rows
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
    "import_rollouts": run_import_rollouts,
}
"""In this order: later ones read what earlier ones wrote."""
