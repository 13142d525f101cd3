"""Tables: the strategies as CSV, Markdown and LaTeX, step metrics, label statistics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from vlprm import joins
from vlprm.config.slices.tables import TablesSlice
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.keys import Files, grid, shards
from vlprm.io.manifest import recorded, versions
from vlprm.metrics.label_statistics import SECTIONS, LabelStatistics, label_statistics
from vlprm.pages.latex import strategies_tex
from vlprm.pages.markdown import label_page, step_page, strategies_page
from vlprm.pages.paper import compare, comparison_page
from vlprm.pages.strategies import strategy_frame, to_csv
from vlprm.records import Metric, Rollout, StepLabel
from vlprm.stages import VERSIONS, In, OutFolder


def run(
    config: TablesSlice,
    metrics: list[In],
    steps: list[In],
    rollouts: list[In],
    labels: list[In],
    out_dir: OutFolder,
) -> None:
    """Read metrics and labels, write every table into ``out_dir``.

    Inputs are found by their keys: the lists may have any order.
    """
    outputs = [
        out_dir / name
        for name in ("strategies.csv", "strategies.md", "strategies.tex", "steps.md", "labels.md",
                     "paper.md", "labels.parquet")
    ]  # fmt: skip
    csv, page, tex, step_table, label_table, paper, statistics = outputs
    with recorded(
        "tables",
        VERSIONS["tables"],
        config.model_dump(mode="json"),
        inputs=sorted([*metrics, *steps, *rollouts, *labels]),
        outputs=outputs,
    ) as counts:
        found = _metrics(config, metrics, "accuracy")
        of_steps = _metrics(config, steps, "steps")  # all is read before anything is written
        by_source = _by_source(config, rollouts, labels)
        installed = ", ".join(f"{name} {number}" for name, number in versions().items())
        searches = config.searches
        facts = config.facts | {"versions": installed}
        margin = config.tables.equivalence
        write_text(csv, to_csv(strategy_frame(found, searches=searches)))
        write_text(page, strategies_page(found, facts, searches))
        write_text(tex, strategies_tex(found, facts, searches))
        write_text(step_table, step_page(of_steps, facts))
        frame = pl.DataFrame([item.model_dump() for item in by_source])
        write_text(label_table, label_page(frame, facts))
        compared = compare(found, margin=margin, searches=searches)
        write_text(paper, comparison_page(compared, facts, margin=margin))
        parquet.write(by_source, statistics, LabelStatistics, keys={})
        counts["rows"] = strategy_frame(found).height
        counts["tables"] = len(outputs)


def _metrics(config: TablesSlice, paths: list[Path], kind: str) -> list[Metric]:
    files = Files(paths, Metric, grid(dataset=config.benchmarks, kind=kind))
    return parquet.read_many(files.of(), Metric)


def _by_source(
    config: TablesSlice, rollouts: list[Path], labels: list[Path]
) -> list[LabelStatistics]:
    wanted = [keys for source in config.sources for keys in shards(*source, policy=config.policy)]
    drawn, labelled = Files(rollouts, Rollout, wanted), Files(labels, StepLabel, wanted)

    def joined(source: str) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        pairs = zip(drawn.of(dataset=source), labelled.of(dataset=source), strict=True)
        for one, other in pairs:
            solutions = parquet.frame([one], Rollout, ["id", SECTIONS])
            said = parquet.frame([other], StepLabel, ["rollout_id", "step_index", "label"])
            keys = said.select("rollout_id", "step_index")
            joins.match(keys, solutions["id"], "labels", str(other), each=False)
            yield solutions, said

    return [label_statistics(source, joined(source)) for source, _ in config.sources]
