"""A row of the result table: its key, and what it measures question by question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vlprm.metrics.intervals import Array, plain
from vlprm.records import Metric

Row = tuple[str | None, str, str | None, int]
"""PRM, strategy, aggregation, n."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a row measures."""

    of_question: Array
    """Accuracy of each question, shape (questions,); NaN: none."""
    unfinished: float
    """Share of the row's picks that were cut; NaN: no picks."""
    reported: npt.NDArray[np.bool_] | None = None
    """The questions that the row is about; None: all."""
    of_trainings: float = 0.0
    """What the luck of trainings adds to the variance of its mean (``metrics.replicates``)."""

    @property
    def on(self) -> Array:
        """Accuracy of each question that the row is about; NaN for the others too."""
        if self.reported is None:
            return self.of_question
        return np.where(self.reported, self.of_question, np.nan)

    @property
    def samples(self) -> int:
        """Questions that the row is about."""
        return len(self.of_question) if self.reported is None else int(self.reported.sum())

    @property
    def missing(self) -> int:
        """Questions that the row is about and has no value for."""
        return self.samples - int((~np.isnan(self.on)).sum())


def without_interval(
    benchmark: str, policy: str, row: Row, name: str, value: float, questions: int
) -> Metric:
    """A metric that has no interval and is compared with nothing."""
    prm, strategy, aggregation, n = row
    return Metric(
        benchmark=benchmark,
        policy=policy,
        prm=prm,
        strategy=strategy,
        aggregation=aggregation,
        n=n,
        name=name,
        value=plain(value),
        low=None,
        high=None,
        delta=None,
        delta_low=None,
        delta_high=None,
        n_samples=questions,
        n_ungraded=0,
    )
