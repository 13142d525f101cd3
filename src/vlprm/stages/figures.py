"""Figures: SVG and PNG of the tables' numbers, with the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from vlprm.config.slices import TablesSlice
from vlprm.io import tables
from vlprm.io.atomic import atomic_path
from vlprm.io.manifest import recorded
from vlprm.metrics.calibration import CalibrationBin
from vlprm.metrics.label_statistics import LabelStatistics
from vlprm.metrics.step_f1 import ConfusionCell
from vlprm.records import Metric, Record
from vlprm.stages import VERSIONS
from vlprm.tables.figures import accuracy_figure
from vlprm.tables.figures_prm import calibration_figure, confusion_figure, label_figure
from vlprm.tables.style import png, svg

NAMES = ("accuracy", "calibration", "first_error", "labels")


def run(
    config: TablesSlice,
    metrics: list[Path],
    bins: list[Path],
    confusions: list[Path],
    labels: Path,
    out_dir: Path,
) -> None:
    """Read metrics, bins, confusion cells and label statistics; draw into ``out_dir``."""
    outputs = [out_dir / f"{name}.{kind}" for name in NAMES for kind in ("svg", "png")]
    with recorded(
        "figures",
        VERSIONS["figures"],
        config.model_dump(mode="json"),
        inputs=[*metrics, *bins, *confusions, labels],
        outputs=outputs,
    ) as counts:
        drawn: dict[str, Figure] = {
            "accuracy": accuracy_figure(
                tables.read_many(metrics, Metric), config.tables.curves, config.facts["interval"]
            ),
            "calibration": calibration_figure(_frame(bins, CalibrationBin)),
            "first_error": confusion_figure(_frame(confusions, ConfusionCell)),
            "labels": label_figure(_frame([labels], LabelStatistics)),
        }
        for name, figure in drawn.items():
            for kind, data in (("svg", svg(figure)), ("png", png(figure, config.tables.dpi))):
                with atomic_path(out_dir / f"{name}.{kind}") as temporary:
                    temporary.write_bytes(data)
        counts["figures"] = len(drawn)


def _frame(paths: list[Path], record: type[Record]) -> pl.DataFrame:
    rows = [item.model_dump() for item in tables.read_many(paths, record)]
    if not rows:  # without step_truth there are no cells, yet columns
        return pl.DataFrame(schema=list(record.model_fields))
    return pl.DataFrame(rows, infer_schema_length=None)
