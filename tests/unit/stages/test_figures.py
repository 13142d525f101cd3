"""A run without step_truth has no confusion cells, and draws its figures all the same."""

from __future__ import annotations

from pathlib import Path

from vlprm.io import parquet
from vlprm.metrics.calibration import CalibrationBin
from vlprm.metrics.step_f1 import ConfusionCell
from vlprm.pages.figures_prm import calibration_figure, confusion_figure
from vlprm.stages.figures import _frame


def test_tables_without_rows(tmp_path: Path) -> None:
    cells, bins = tmp_path / "cells.parquet", tmp_path / "bins.parquet"
    parquet.write([], cells, ConfusionCell)
    parquet.write([], bins, CalibrationBin)
    for figure in (
        confusion_figure(_frame([cells], ConfusionCell)),
        calibration_figure(_frame([bins], CalibrationBin)),
    ):
        assert "no solution has a usable verdict" in [text.get_text() for text in figure.texts]
