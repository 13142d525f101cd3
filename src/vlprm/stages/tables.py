"""Tables: the strategies as CSV, Markdown and LaTeX, step metrics, label statistics."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from vlprm.config.slices import TablesSlice
from vlprm.io import tables
from vlprm.io.atomic import write_text
from vlprm.io.manifest import recorded, versions
from vlprm.metrics.label_statistics import SECTIONS, LabelStatistics, label_statistics
from vlprm.records import Metric, Rollout, StepLabel
from vlprm.stages import VERSIONS
from vlprm.tables.latex import strategies_tex
from vlprm.tables.markdown import label_page, step_page, strategies_page
from vlprm.tables.paper import compare, comparison_page
from vlprm.tables.strategies import strategy_frame, to_csv


def run(
    config: TablesSlice,
    metrics: list[Path],
    steps: list[Path],
    rollouts: list[Path],
    labels: list[Path],
    out_dir: Path,
) -> None:
    """Read metrics and labels, write every table into ``out_dir``.

    ``rollouts`` and ``labels``: the shards of the sources in the order of ``config.sources``.
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
        inputs=[*metrics, *steps, *rollouts, *labels],
        outputs=outputs,
    ) as counts:
        found = tables.read_many(metrics, Metric)
        by_source: list[LabelStatistics] = []
        first = 0
        for source, shards in config.sources:
            part = slice(first, first + shards)
            first += shards
            by_source.append(
                label_statistics(
                    source,
                    (
                        (
                            tables.frame([one], Rollout, ["id", SECTIONS]),
                            tables.frame([other], StepLabel, ["rollout_id", "step_index", "label"]),
                        )
                        for one, other in zip(rollouts[part], labels[part], strict=True)
                    ),
                )
            )
        installed = ", ".join(f"{name} {number}" for name, number in versions().items())
        facts = config.facts | {"versions": installed}
        write_text(csv, to_csv(strategy_frame(found)))
        write_text(page, strategies_page(found, facts))
        write_text(tex, strategies_tex(found, facts))
        write_text(step_table, step_page(tables.read_many(steps, Metric), facts))
        frame = pl.DataFrame([item.model_dump() for item in by_source])
        write_text(label_table, label_page(frame, facts))
        write_text(paper, comparison_page(compare(found), facts))
        tables.write(by_source, statistics, LabelStatistics)
        counts["rows"] = strategy_frame(found).height
        counts["tables"] = len(outputs)
