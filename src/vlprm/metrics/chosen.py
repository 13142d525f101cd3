"""The best of many rows, honestly: chosen on one half of the questions, reported on the other.

The best of a dozen rows is partly the luckiest: with nothing to gain, the best of twelve
aggregations, weights and PRMs over 500 questions still shows a gain, and its interval does not
know that it was picked. So every N has one row more for each policy: PRM, strategy and
aggregation with the largest accuracy on the first half, with value, interval and differences
on the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vlprm.config.evaluation import MetricsConfig
from vlprm.metrics.halves import CHOOSING, REPORTING, half_of
from vlprm.metrics.rows import Row, Values
from vlprm.records import CHOSEN


def chosen_rows(
    sample_ids: Sequence[str], rows: Mapping[Row, Values], config: MetricsConfig
) -> tuple[dict[int, Row], npt.NDArray[np.bool_]]:
    """N to the row that is best on the choosing half, and which questions report.

    Rows that ask no PRM and those of N = 1, where all strategies are pass@1, are not chosen
    from. The first of equal rows is taken. Empty where a half has no question.
    """
    halves = np.array([half_of(config.seed, name) for name in sample_ids])
    choosing, reporting = halves == CHOOSING, halves == REPORTING
    best: dict[int, tuple[float, Row]] = {}
    if choosing.any() and reporting.any():
        for row, values in rows.items():
            prm, _, _, n = row
            known = values.of_question[choosing & ~np.isnan(values.of_question)]
            if prm is None or n == 1 or not known.size:
                continue
            mean = float(known.mean())
            if n not in best or mean > best[n][0]:
                best[n] = (mean, row)
    return {n: row for n, (_, row) in sorted(best.items())}, reporting


def chosen_name(row: Row) -> Row:
    """The key of a chosen row: ``("prm-large", "chosen", "step_aggregation/min", 8)``."""
    prm, strategy, aggregation, n = row
    return prm, CHOSEN, f"{strategy}/{aggregation}" if aggregation else strategy, n
