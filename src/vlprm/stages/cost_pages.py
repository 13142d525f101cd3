"""Cost pages: accuracy against tokens, as a table and as a figure."""

from __future__ import annotations

from pathlib import Path

from vlprm.config.slices.tables import TablesSlice
from vlprm.io import parquet
from vlprm.io.atomic import atomic_path, write_text
from vlprm.io.keys import Files, grid
from vlprm.io.manifest import recorded
from vlprm.pages.costs import cost_figure, costs_page, with_costs
from vlprm.pages.style import png, svg
from vlprm.records import Metric
from vlprm.stages import VERSIONS, In, Out


def run(
    config: TablesSlice, metrics: list[In], costs: list[In], page: Out, drawing: Out, picture: Out
) -> None:
    """Read accuracies and costs of all benchmarks; write the page, and the figure as SVG and PNG.

    Inputs are found by their keys: the lists may have any order.
    """
    with recorded(
        "cost_pages",
        VERSIONS["cost_pages"],
        config.model_dump(mode="json"),
        inputs=sorted([*metrics, *costs]),
        outputs=[page, drawing, picture],
    ) as counts:
        found = [
            _metrics(config, paths, kind)
            for paths, kind in ((metrics, "accuracy"), (costs, "costs"))
        ]
        frame = with_costs(found[0], found[1], config.searches)
        write_text(page, costs_page(frame, config.facts, config.searches))
        shown = config.tables.curves, config.facts["interval"], config.searches
        figure = cost_figure(frame, *shown)
        for path, data in ((drawing, svg(figure)), (picture, png(figure, config.tables.dpi))):
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)
        counts["rows"] = frame.height


def _metrics(config: TablesSlice, paths: list[Path], kind: str) -> list[Metric]:
    files = Files(paths, Metric, grid(dataset=config.benchmarks, kind=kind))
    return parquet.read_many(files.of(), Metric)
