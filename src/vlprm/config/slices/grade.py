"""What ``grade`` is told."""

from __future__ import annotations

from vlprm.config.benchmarks import SOURCE_SCORER_VERSION, GradingConfig
from vlprm.config.block import Block
from vlprm.config.run import Config


class GradeSlice(Block):
    """Grade answers with one data set's scorer."""

    kind: str
    scorer_version: int
    grading: GradingConfig


def of(config: Config, dataset: str) -> GradeSlice:
    """The slice of one data set's scorer."""
    item = config.benchmarks.get(dataset)
    version = item.scorer_version if item else SOURCE_SCORER_VERSION
    grading = item.grading if item else GradingConfig()
    return GradeSlice(kind=config.data[dataset].kind, scorer_version=version, grading=grading)
