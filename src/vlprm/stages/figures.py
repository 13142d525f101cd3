"""Figures: SVG and PNG of the tables' numbers, with the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from vlprm.config.slices.tables import TablesSlice
from vlprm.io import parquet
from vlprm.io.atomic import atomic_path
from vlprm.io.keys import Files, grid
from vlprm.io.manifest import recorded
from vlprm.metrics.calibration import CalibrationBin
from vlprm.metrics.label_statistics import LabelStatistics
from vlprm.metrics.step_f1 import ConfusionCell
from vlprm.pages.figures import accuracy_figure
from vlprm.pages.figures_prm import calibration_figure, confusion_figure, label_figure
from vlprm.pages.style import png, svg
from vlprm.records import Metric, Record
from vlprm.stages import VERSIONS, In, OutFolder

NAMES = ("accuracy", "calibration", "first_error", "labels")


def run(
    config: TablesSlice,
    metrics: list[In],
    bins: list[In],
    confusions: list[In],
    labels: In,
    out_dir: OutFolder,
) -> None:
    """Read metrics, bins, confusion cells and label statistics; draw into ``out_dir``.

    Inputs are found by their keys: the lists may have any order.
    """
    outputs = [out_dir / f"{name}.{kind}" for name in NAMES for kind in ("svg", "png")]
    with recorded(
        "figures",
        VERSIONS["figures"],
        config.model_dump(mode="json"),
        inputs=sorted([*metrics, *bins, *confusions, labels]),
        outputs=outputs,
    ) as counts:
        accuracies = Files(metrics, Metric, grid(dataset=config.benchmarks, kind="accuracy")).of()
        of_benchmarks = grid(dataset=config.benchmarks)
        shares = Files(bins, CalibrationBin, of_benchmarks).of()
        cells = Files(confusions, ConfusionCell, of_benchmarks).of()
        statistics = Files([labels], LabelStatistics, [{}]).of()
        drawn: dict[str, Figure] = {
            "accuracy": accuracy_figure(
                parquet.read_many(accuracies, Metric),
                config.tables.curves,
                config.facts["interval"],
                config.searches,
            ),
            "calibration": calibration_figure(_frame(shares, CalibrationBin)),
            "first_error": confusion_figure(_frame(cells, ConfusionCell)),
            "labels": label_figure(_frame(statistics, LabelStatistics)),
        }
        for name, figure in drawn.items():
            for kind, data in (("svg", svg(figure)), ("png", png(figure, config.tables.dpi))):
                with atomic_path(out_dir / f"{name}.{kind}") as temporary:
                    temporary.write_bytes(data)
        counts["figures"] = len(drawn)


def _frame(paths: list[Path], record: type[Record]) -> pl.DataFrame:
    rows = [item.model_dump() for item in parquet.read_many(paths, record)]
    if not rows:  # without step_truth there are no cells, yet columns
        return pl.DataFrame(schema=list(record.model_fields))
    return pl.DataFrame(rows, infer_schema_length=None)
